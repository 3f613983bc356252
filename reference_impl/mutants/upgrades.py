"""Mutants of upgrades: how a version takes the place of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.mutants import VARIABLE

if TYPE_CHECKING:
    from reference_impl.mutants import Object

_LAST = "l3conf/reference-impl:0.1.0"
"""A release before this one."""
_ROUTE_AGENT = "submariner-routeagent"


def leave_route_agents(objects: list[Object]) -> list[Object]:
    """Bring gateways to this version and leave route agents at the last, which knows of no mutants."""
    for obj in objects:
        if obj["kind"] == "DaemonSet" and obj["metadata"]["name"] == _ROUTE_AGENT:
            for container in obj["spec"]["template"]["spec"]["containers"]:
                container["image"] = _LAST
                container["env"] = [one for one in container["env"] if one["name"] != VARIABLE]
    return objects


def remove_first(objects: list[Object], cleanup: list[Object]) -> list[Object]:
    """Go back as somebody would who removes everything before he installs again: nodes are cleaned meanwhile."""
    return [*cleanup, *objects]
