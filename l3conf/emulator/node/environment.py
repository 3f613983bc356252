"""A container's environment variables. Pure: what is in the API is looked up through a function."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Protocol

from l3conf.emulator.node.field_refs import UnknownFieldError, field_value, resource_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.context import APIAccess

_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[-._a-zA-Z][-._a-zA-Z0-9]*)\)")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class MissingReferenceError(Exception):
    """A ConfigMap, Secret or key that a container needs is not there (``CreateContainerConfigError``)."""


class Lookup(Protocol):
    """Finds a ConfigMap or Secret of the pod's namespace."""

    def __call__(self, resource: str, name: str) -> Object | None:
        """Return the object of ``configmaps`` or ``secrets``, or None."""


def environment(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    *,
    image_env: Mapping[str, str],
    api_access: APIAccess,
    addresses: Mapping[str, str],
    lookup: Lookup,
) -> dict[str, str]:
    """Return all variables: the image's, the API's, ``envFrom``, then ``env`` in order with ``$(NAME)`` expanded.

    Raises ``MissingReferenceError`` for a reference that is neither there nor optional.
    """
    env = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname(pod), "HOME": "/root", **image_env}
    env |= service_variables(api_access)
    for source in container.get("envFrom") or ():
        env |= dict(_from_source(source, lookup))
    for item in container.get("env") or ():
        value = _value(item, pod, container, addresses, lookup)
        if value is not None:
            env[item["name"]] = expand(value, env) if "valueFrom" not in item else value
    return env


def hostname(pod: Mapping[str, Any]) -> str:
    """Return the host name that a pod's processes see; the node's for host-network pods."""
    if pod["spec"].get("hostNetwork"):
        return str(pod["spec"].get("nodeName") or pod["metadata"]["name"])
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def service_variables(api_access: APIAccess) -> dict[str, str]:
    """Return the variables by which in-cluster clients find the API."""
    port = str(api_access.port)
    url = f"tcp://{api_access.host}:{port}"
    return {
        "KUBERNETES_SERVICE_HOST": api_access.host,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
        "KUBERNETES_PORT": url,
        f"KUBERNETES_PORT_{port}_TCP": url,
    }


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by known variables; unknown ones stay as they are, ``$$`` becomes ``$``."""

    def replace(match: re.Match[str]) -> str:
        return "$" if match["name"] is None else env.get(match["name"], match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(texts: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """Expand every word of a command."""
    return tuple(expand(text, env) for text in texts)


def _from_source(source: Mapping[str, Any], lookup: Lookup) -> Iterator[tuple[str, str]]:
    prefix = source.get("prefix") or ""
    for field, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if reference := source.get(field):
            obj = _needed(lookup, resource, reference)
            for key, value in sorted(contents(obj).items()) if obj else ():
                yield prefix + key, value.decode(errors="replace")


def _value(
    item: Mapping[str, Any],
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    addresses: Mapping[str, str],
    lookup: Lookup,
) -> str | None:
    source = item.get("valueFrom")
    if not source:
        return item.get("value") or ""
    try:
        if reference := source.get("fieldRef"):
            return field_value(pod, reference["fieldPath"], addresses=addresses)
        if reference := source.get("resourceFieldRef"):
            return resource_value(container, reference, capacity={})
    except UnknownFieldError as error:
        raise MissingReferenceError(str(error)) from error
    for field, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if reference := source.get(field):
            return _key(lookup, resource, reference)
    return None


def _key(lookup: Lookup, resource: str, reference: Mapping[str, Any]) -> str | None:
    obj = _needed(lookup, resource, reference)
    value = contents(obj).get(reference["key"]) if obj else None
    if value is None and not reference.get("optional"):
        kind = resource.removesuffix("s")
        raise MissingReferenceError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
    return None if value is None else value.decode(errors="replace")


def _needed(lookup: Lookup, resource: str, reference: Mapping[str, Any]) -> Object | None:
    obj = lookup(resource, reference["name"])
    if obj is None and not reference.get("optional"):
        raise MissingReferenceError(f'{resource.removesuffix("s")} "{reference["name"]}" not found')
    return obj


def contents(obj: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the data of a ConfigMap or Secret as bytes."""
    encoded = obj.get("binaryData") if obj.get("kind") != "Secret" else obj.get("data")
    plain = obj.get("data") if obj.get("kind") != "Secret" else obj.get("stringData")
    texts = {key: value.encode() for key, value in (plain or {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in (encoded or {}).items()}
