"""Which resources a cluster keeps objects of: the built-in ones and those that CRDs define."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.resources import BUILT_IN, STORED

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class ServedResource:
    """One kind of objects that are stored."""

    name: str
    """As ``ClusterAPI`` takes it: ``daemonsets.apps``."""
    group: str
    kind: str
    namespaced: bool


BUILT_IN_RESOURCES: tuple[ServedResource, ...] = tuple(
    ServedResource(item.group_resource, item.group, item.kind, item.namespaced)
    for item in BUILT_IN
    if "create" in item.verbs and set(STORED) - {"deletecollection"} <= set(item.verbs) and not item.stored_as
)


def defined_by(definition: Mapping[str, Any]) -> ServedResource | None:
    """Return what a CRD defines; None until the API server serves it."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
        return None
    spec = definition["spec"]
    name = f"{spec['names']['plural']}.{spec['group']}"
    return ServedResource(name, spec["group"], spec["names"]["kind"], spec["scope"] == "Namespaced")
