"""The downward API: values of a pod that its containers may read. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(?P<key>[^']+)'\]$")
_QUANTITY = re.compile(r"^(?P<number>\d+(\.\d+)?)(?P<suffix>[a-zA-Z]*)$")
_FACTORS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip


class UnknownFieldError(Exception):
    """A field path that the downward API does not offer."""


def field_value(pod: Mapping[str, Any], path: str, *, addresses: Mapping[str, str]) -> str:
    """Return the text behind ``fieldRef.fieldPath``.

    ``addresses`` holds ``status.podIP``, ``status.podIPs``, ``status.hostIP`` and ``status.hostIPs``, which the kubelet
    knows before the API does.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        **addresses,
    }
    if path in simple:
        return str(simple[path])
    if match := _SUBSCRIPT.match(path):
        return str((metadata.get(match[1]) or {}).get(match["key"], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        values = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(values.items()))
    raise UnknownFieldError(f"unsupported fieldPath: {path}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_value(container: Mapping[str, Any], reference: Mapping[str, Any], *, capacity: Mapping[str, str]) -> str:
    """Return a request or limit divided by ``divisor``, rounded up; without a limit the node's capacity."""
    section, _, resource = reference["resource"].partition(".")
    if section not in {"limits", "requests"} or not resource:
        raise UnknownFieldError(f"unsupported container resource: {reference['resource']}")
    resources = container.get("resources") or {}
    quantity = (resources.get(section) or {}).get(resource)
    if quantity is None:
        quantity = capacity.get(resource, "0") if section == "limits" else "0"
    divisor = reference.get("divisor") or "1"
    share = _number(str(quantity)) / (_number(str(divisor)) or 1)
    return str(-int(-share // 1))


def _number(quantity: str) -> float:
    match = _QUANTITY.match(quantity)
    if match is None or match["suffix"] not in _FACTORS:
        raise UnknownFieldError(f"cannot read quantity {quantity!r}")
    return float(match["number"]) * _FACTORS[match["suffix"]]
