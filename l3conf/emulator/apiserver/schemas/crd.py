"""What kube-apiserver refuses in a CustomResourceDefinition (apiextensions.k8s.io/v1).

Run after defaulting, so ``names.singular`` and ``names.listKind`` are only checked if they are there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import duplicate, forbidden, invalid, not_supported, required
from l3conf.emulator.apiserver.schemas.schema_rules import schema_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError

_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_LABEL_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_APPROVAL = "api-approved.kubernetes.io"


def check_crd(crd: Mapping[str, Any]) -> list[FieldError]:
    """Return all reasons for which ``crd`` is refused; empty if it may be stored."""
    spec = crd.get("spec") or {}
    return [
        *_identity(crd, spec),
        *_names(spec.get("names") or {}, "spec.names"),
        *_versions(spec.get("versions") or []),
        *_conversion(spec.get("conversion") or {}, spec.get("versions") or []),
    ]


def check_stored_versions(crd: Mapping[str, Any], *, by_status: bool) -> list[FieldError]:
    """Return why an update of a definition is refused: it would leave stored objects without a version.

    ``by_status``: the update says itself what is stored; else the storage version is added after this.
    """
    path, stored = "status.storedVersions", (crd.get("status") or {}).get("storedVersions") or []
    if not stored:
        return [invalid(path, stored, "must have at least one stored version")]
    versions = crd["spec"]["versions"]
    storage = next(version["name"] for version in versions if version.get("storage"))
    problems = []
    if by_status and storage not in stored:
        problems.append(invalid(path, stored, f"must have the storage version {storage}"))
    names = {version["name"] for version in versions}
    lost = [(position, name) for position, name in enumerate(stored) if name not in names]
    problems += [invalid(f"{path}[{position}]", name, "must appear in spec.versions") for position, name in lost]
    return problems


def _identity(crd: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[FieldError]:
    metadata = crd.get("metadata") or {}
    name, group = metadata.get("name", ""), spec.get("group", "")
    expected = f"{(spec.get('names') or {}).get('plural', '')}.{group}"
    if name != expected:
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    elif not _SUBDOMAIN.fullmatch(group):
        yield invalid("spec.group", group, _SUBDOMAIN_RULE)
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    elif group.endswith((".k8s.io", ".kubernetes.io")) and _APPROVAL not in (metadata.get("annotations") or {}):
        detail = f'protected groups must have approval annotation "{_APPROVAL}"'
        yield required(f"metadata.annotations[{_APPROVAL}]", detail)
    scope = spec.get("scope", "")
    if not scope:
        yield required("spec.scope")
    elif scope not in {"Cluster", "Namespaced"}:
        yield not_supported("spec.scope", scope, ("Cluster", "Namespaced"))


def _names(names: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for field in ("plural", "kind"):
        if not names.get(field):
            yield required(f"{path}.{field}")
    for field in ("plural", "singular"):
        if names.get(field) and not _LABEL.fullmatch(names[field]):
            yield invalid(f"{path}.{field}", names[field], _LABEL_RULE)
    for field in ("kind", "listKind"):
        if names.get(field) and not _LABEL.fullmatch(names[field].lower()):
            detail = f"may have mixed case, but should otherwise match: {_LABEL_RULE}"
            yield invalid(f"{path}.{field}", names[field], detail)
    for field in ("shortNames", "categories"):
        yield from _labels(names.get(field) or (), f"{path}.{field}")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid(f"{path}.listKind", names["listKind"], "kind and listKind may not be the same")


def _labels(names: Iterable[str], path: str) -> Iterator[FieldError]:
    for position, name in enumerate(names):
        if not _LABEL.fullmatch(name):
            yield invalid(f"{path}[{position}]", name, _LABEL_RULE)


def _versions(versions: list[Mapping[str, Any]]) -> Iterator[FieldError]:
    path = "spec.versions"
    if not versions:
        yield required(path)
        return
    if sum(version.get("storage") is True for version in versions) != 1:
        yield invalid(path, versions, "must have exactly one version marked as storage version")
    seen: set[str] = set()
    for position, version in enumerate(versions):
        here = f"{path}[{position}]"
        name = version.get("name", "")
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        yield from _version(version, here)


def _version(version: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    name = version.get("name", "")
    if not name:
        yield required(f"{path}.name")
    elif not _LABEL.fullmatch(name):
        yield invalid(f"{path}.name", name, _LABEL_RULE)
    for flag in ("served", "storage"):
        if flag not in version:
            yield required(f"{path}.{flag}")
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not isinstance(schema, dict):
        yield required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    else:
        yield from schema_problems(schema, f"{path}.schema.openAPIV3Schema")
    for position, column in enumerate(version.get("additionalPrinterColumns") or ()):
        yield from _column(column, f"{path}.additionalPrinterColumns[{position}]")
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        yield from _scale(scale, f"{path}.subresources.scale")


def _column(column: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield required(f"{path}.name")
    kind = column.get("type", "")
    if not kind:
        yield required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
    elif kind not in _COLUMN_TYPES:
        yield invalid(f"{path}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}")
    if column.get("format") and column["format"] not in _COLUMN_FORMATS:
        yield invalid(f"{path}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}")
    if not column.get("jsonPath"):
        yield required(f"{path}.jsonPath")
    elif not column["jsonPath"].startswith("."):
        yield invalid(f"{path}.jsonPath", column["jsonPath"], "must be a simple json path starting with .")


def _scale(scale: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for field, prefix in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value = scale.get(field, "")
        if not value:
            yield required(f"{path}.{field}")
        elif not value.startswith(prefix):
            yield invalid(f"{path}.{field}", value, f"should be a json path under {prefix.rstrip('.')}")


def _conversion(conversion: Mapping[str, Any], versions: Collection[object]) -> Iterator[FieldError]:
    """Yield what is wrong with a conversion. Webhooks are never called here, and are not needed for one version."""
    strategy = conversion.get("strategy", "None")
    if strategy not in {"None", "Webhook"}:
        yield not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    elif strategy == "Webhook" and len(versions) > 1:
        detail = "this API server calls no conversion webhooks; it converts with strategy None"
        yield forbidden("spec.conversion.strategy", detail)
