"""Names, labels and the rest of ``metadata``: what is allowed (apimachinery ``validation``, RFC 1123, RFC 1035)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import FieldError, forbidden, invalid, required, too_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from l3conf.emulator.cluster_api import Object

_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253
ANNOTATIONS_LENGTH = 256 * 1024


def dns_label(name: str) -> str:
    """Return why ``name`` is no RFC 1123 label; "" if it is one."""
    if len(name) > LABEL_LENGTH:
        return f"must be no more than {LABEL_LENGTH} characters"
    if _LABEL_1123.fullmatch(name):
        return ""
    return (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )


def dns_1035_label(name: str) -> str:
    """Return why ``name`` is no RFC 1035 label; "" if it is one."""
    if len(name) > LABEL_LENGTH:
        return f"must be no more than {LABEL_LENGTH} characters"
    if _LABEL_1035.fullmatch(name):
        return ""
    return (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation "
        "is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    )


def dns_subdomain(name: str) -> str:
    """Return why ``name`` is no RFC 1123 subdomain; "" if it is one."""
    if len(name) > SUBDOMAIN_LENGTH:
        return f"must be no more than {SUBDOMAIN_LENGTH} characters"
    if _SUBDOMAIN.fullmatch(name):
        return ""
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )


def path_segment(name: str) -> str:
    """Return why ``name`` cannot be one segment of a URL (names of RBAC objects); "" if it can."""
    if name in {".", ".."}:
        return f"may not be '{name}'"
    found = next((mark for mark in "/%" if mark in name), "")
    return f"may not contain '{found}'" if found else ""


NAME_RULES: Mapping[str, Callable[[str], str]] = {
    "namespaces": dns_label,
    "services": dns_1035_label,
    "roles.rbac.authorization.k8s.io": path_segment,
    "rolebindings.rbac.authorization.k8s.io": path_segment,
    "clusterroles.rbac.authorization.k8s.io": path_segment,
    "clusterrolebindings.rbac.authorization.k8s.io": path_segment,
}
"""By storage key; everything else is named by a subdomain."""


def qualified_name(name: str) -> str:
    """Return why ``name`` is no label or annotation key (``[prefix/]name``); "" if it is one."""
    prefix, slash, local = name.rpartition("/")
    if slash and (not prefix or dns_subdomain(prefix)):
        return f"prefix part {dns_subdomain(prefix) if prefix else 'must be non-empty'}"
    if not local:
        return "name part must be non-empty"
    if len(local) > LABEL_LENGTH:
        return f"name part must be no more than {LABEL_LENGTH} characters"
    if not _QUALIFIED.fullmatch(local):
        return (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
    return ""


def label_value(value: str) -> str:
    """Return why ``value`` cannot be a label's value; "" if it can."""
    if len(value) > LABEL_LENGTH:
        return f"must be no more than {LABEL_LENGTH} characters"
    if value and not _QUALIFIED.fullmatch(value):
        return (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
            "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
    return ""


def check_labels(labels: Any, path: str) -> Iterator[FieldError]:  # noqa: ANN401 - JSON as it came
    """Yield what is wrong with a map of labels."""
    if not isinstance(labels, dict):
        if labels is not None:
            yield invalid(path, labels, "must be an object of strings")
        return
    for key, value in labels.items():
        if why := qualified_name(key):
            yield invalid(path, key, why)
        if not isinstance(value, str):
            yield invalid(path, value, "must be a string")
        elif why := label_value(value):
            yield invalid(path, value, why)


def check_metadata(obj: Object, key: str, *, namespaced: bool) -> Iterator[FieldError]:
    """Yield what is wrong with an object's metadata; ``key`` is the resource's storage key."""
    metadata = obj["metadata"]
    yield from _check_name(metadata.get("name") or "", key)
    if namespaced and not metadata.get("namespace"):
        yield required("metadata.namespace")
    if not namespaced and metadata.get("namespace"):
        yield forbidden("metadata.namespace", "not allowed on this type")
    yield from check_labels(metadata.get("labels"), "metadata.labels")
    yield from _check_annotations(metadata.get("annotations"))
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        if why := qualified_name(finalizer):
            yield invalid(f"metadata.finalizers[{index}]", finalizer, why)
    yield from _check_owners(metadata.get("ownerReferences") or ())


def _check_name(name: str, key: str) -> Iterator[FieldError]:
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif why := path_segment(name) or NAME_RULES.get(key, dns_subdomain)(name):
        yield invalid("metadata.name", name, why)


def _check_annotations(annotations: Any) -> Iterator[FieldError]:  # noqa: ANN401 - JSON as it came
    if not isinstance(annotations, dict):
        if annotations is not None:
            yield invalid("metadata.annotations", annotations, "must be an object of strings")
        return
    for key, value in annotations.items():
        if why := qualified_name(key.lower()):
            yield invalid("metadata.annotations", key, why)
        if not isinstance(value, str):
            yield invalid(f"metadata.annotations[{key}]", value, "must be a string")
    if sum(len(key) + len(str(value)) for key, value in annotations.items()) > ANNOTATIONS_LENGTH:
        yield too_long("metadata.annotations", ANNOTATIONS_LENGTH)


def _check_owners(owners: Any) -> Iterator[FieldError]:  # noqa: ANN401 - JSON as it came
    for index, owner in enumerate(owners):
        where = f"metadata.ownerReferences[{index}]"
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield invalid(f"{where}.{name}", owner.get(name, ""), f"{name} must not be empty")
    controllers = [owner.get("name") for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        yield invalid("metadata.ownerReferences", controllers, "Only one reference can have Controller set to true")
