"""Mutants of upgrades: how a version takes the place of another."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.mutants import VARIABLE
from reference_impl.planner.skew import AGENT_VERSION, skew
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from reference_impl.mutants import Object
    from reference_impl.planner.exchange import Write

_LAST = "l3conf/reference-impl:0.1.0"
"""A release before this one."""
_FIELDS = frozenset(
    {
        *("cluster_id", "color_codes", "service_cidr", "cluster_cidr", "global_cidr"),
        *("cable_name", "healthCheckIP", "healthCheckIPs", "hostname", "subnets", "nat_enabled"),
        *("private_ip", "privateIPs", "public_ip", "publicIPs", "backend", "backend_config"),
    }
)
"""Of Clusters and Endpoints, as typed code of this version would have them."""
_ROUTE_AGENT = "submariner-routeagent"


def leave_route_agents(objects: list[Object]) -> list[Object]:
    """Bring gateways to this version and leave route agents at the last, which knows of no mutants."""
    for obj in objects:
        if obj["kind"] == "DaemonSet" and obj["metadata"]["name"] == _ROUTE_AGENT:
            for container in obj["spec"]["template"]["spec"]["containers"]:
                container["image"] = _LAST
                container["env"] = [one for one in container["env"] if one["name"] != VARIABLE]
    return objects


def roll_out_carriers(objects: list[Object]) -> list[Object]:
    """Replace the processes that carry packets like any other pod, with every version."""
    for obj in objects:
        if obj["kind"] == "DaemonSet" and obj["spec"]["updateStrategy"]["type"] == "OnDelete":
            obj["spec"]["updateStrategy"] = {"type": "RollingUpdate"}
            for container in obj["spec"]["template"]["spec"]["containers"]:
                container["image"] = f"l3conf/reference-impl:{VERSION}"
    return objects


def erase_unknown_fields(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Write objects of the exchange with the fields that this version knows, and no others."""
    return tuple(replace(write, obj=_known(write.obj)) for write in writes)


def _known(obj: Object) -> Object:
    spec = {name: value for name, value in (obj.get("spec") or {}).items() if name in _FIELDS}
    return {**obj, "spec": spec} if "spec" in obj else obj


def part_with_strangers(objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """Take a member whose version does not go with ours for one that has gone."""
    return tuple(obj for obj in objects if not skew(VERSION, _version_of(obj)))


def _version_of(obj: Object) -> str:
    parameters = (obj.get("spec") or {}).get("backend_config") or {}
    return str(parameters.get(AGENT_VERSION, ""))


def remove_first(objects: list[Object], cleanup: list[Object]) -> list[Object]:
    """Go back as somebody would who removes everything before he installs again: nodes are cleaned meanwhile."""
    return [*cleanup, *objects]


def leave_stored(objects: list[Object]) -> list[Object]:
    """Write nothing again in the version that is stored now, and say that this was done."""
    return objects[:0]


def forget_driver_in_stored_version(objects: list[Object]) -> list[Object]:
    """Have the version that is stored know no ``cableDriver``: what is converted to it loses it."""
    changed = copy.deepcopy(objects)
    for obj in changed:
        if obj["kind"] == "CustomResourceDefinition" and len(obj["spec"]["versions"]) > 1:
            for version in obj["spec"]["versions"]:
                # A copy of its own: versions of a manifest may share one by a YAML anchor.
                version["schema"] = copy.deepcopy(version["schema"])
                if version["storage"]:
                    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop("cableDriver", None)
    return changed
