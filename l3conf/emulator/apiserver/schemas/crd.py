"""What kube-apiserver refuses in a CustomResourceDefinition (apiextensions.k8s.io/v1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.field_error import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.field_error import FieldError


def check_crd(crd: Mapping[str, Any]) -> list[FieldError]:
    """Return all reasons for which ``crd`` is refused; empty if it may be stored."""
    spec = crd.get("spec", {})
    plural, group = spec.get("names", {}).get("plural", ""), spec.get("group", "")
    name = crd.get("metadata", {}).get("name", "")
    if name != f"{plural}.{group}":
        return [invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')]
    return []
