"""DaemonSets whose pods carry packets: what an upgrade leaves alone.

``wireguard-go`` and the IKE daemon are processes, and cables end with them. An upgrade of the agents is no reason to
replace them: their pods keep the template that they have, image included, as long as both versions' carriers have one
revision. So a roll-out replaces what decides, and never what forwards (docs/adr/0052).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.mutants import VARIABLE
from reference_impl.names import CARRIER_REVISION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster

_FIRST = "1"
"""Revision of carriers that name none, as release 0.1.0's."""


async def with_carriers_kept(cluster: HookCluster, objects: Iterable[Object]) -> list[Object]:
    """Return the objects as they are to be applied: carriers that are there already keep their pods."""
    return [await _kept(cluster, obj) if is_carrier(obj) else obj for obj in objects]


async def _kept(cluster: HookCluster, obj: Object) -> Object:
    metadata = obj["metadata"]
    try:
        found = await cluster.api.get(Resource.of(obj), metadata["name"], metadata["namespace"])
    except NotFoundError:
        return obj
    return merged(obj, found)


def is_carrier(obj: Object) -> bool:
    """Say whether an object's pods carry packets: whose pods nobody replaces but whoever deletes them."""
    return obj["kind"] == "DaemonSet" and (obj["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"


def merged(wanted: Object, found: Object) -> Object:
    """Return a carrier as it is to be: with the pods that it has, unless it is of another revision. Pure."""
    if _revision(wanted) != _revision(found):
        return wanted
    template = copy.deepcopy(found["spec"]["template"])
    for container in template["spec"]["containers"]:
        # What selects a mutant is added to every DaemonSet when it is applied.
        container["env"] = [entry for entry in container.get("env", []) if entry["name"] != VARIABLE]
    return {**wanted, "spec": {**wanted["spec"], "template": template}}


def _revision(carrier: Object) -> str:
    return str((carrier["metadata"].get("annotations") or {}).get(CARRIER_REVISION, _FIRST))
