"""A cluster that takes the id of one that left: what is known and programmed of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.plugin import residue
from l3conf.plugin.cluster_api import GROUP

if TYPE_CHECKING:
    from l3conf.model.topology import IPNetwork
    from l3conf.plugin.lab import Lab

_KINDS = ("clusters", "endpoints", "gateways", "routeagents")


def succeed(lab: Lab, name: str, *, by: str) -> None:
    """Let a cluster that is no member join under the id of one that left; ``AssertionError`` if it is refused."""
    if lab.members.join_under(by, name):
        raise AssertionError(f"{by} was refused as {name}, though {name} has left")
    lab.run.note(f"{by} joins as {name}")


def remains(lab: Lab, predecessor: str, *members: str) -> list[str]:
    """Return whatever members hold, in objects or on nodes, that names a range of a cluster that left."""
    left = lab.topology.cluster(predecessor)
    ranges = (*left.pod_cidrs, *left.service_cidrs, *left.node_cidrs)
    return _in_objects(lab, ranges, members) + _on_nodes(lab, ranges, members)


def _in_objects(lab: Lab, ranges: tuple[IPNetwork, ...], members: tuple[str, ...]) -> list[str]:
    return [
        f"{api.name}: {kind} {obj['metadata']['name']}: {line}"
        for api in (*(lab.apis[member] for member in members), lab.broker)
        for kind in _KINDS
        for obj in api.items(f"{GROUP}/{kind}")
        for line in residue.naming({part: obj.get(part) for part in ("spec", "status")}, ranges)
    ]


def _on_nodes(lab: Lab, ranges: tuple[IPNetwork, ...], members: tuple[str, ...]) -> list[str]:
    return [
        f"{place}: {line}"
        for place, state in lab.node_states(*members).items()
        for line in sorted({*residue.naming(state, ranges)} - {*residue.naming(lab.before.nodes[place], ranges)})
    ]
