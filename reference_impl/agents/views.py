"""From cached objects to the facts that planners take. What cannot be read is a refusal, not a crash."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.agents.last import Last
from reference_impl.agents.readings import Readings
from reference_impl.names import GATEWAY_LABEL
from reference_impl.planner.membership import Membership, plan_membership
from reference_impl.planner.node import Node
from reference_impl.protocols.gateway_settings import parse_gateway_settings
from reference_impl.protocols.object_codec import parse_cluster, parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import Object
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.planner.membership import Refusal
    from reference_impl.protocols.objects import Endpoint


def read_nodes(objects: Iterable[Object]) -> tuple[Node, ...]:
    """Return the nodes that have an InternalIP, by name."""
    nodes = []
    for obj in objects:
        address = _internal_ip(obj)
        if address:
            ranges = obj.get("spec", {}).get("podCIDRs") or []
            nodes.append(
                Node(
                    name=obj["metadata"]["name"],
                    underlay=ip_address(address),
                    pod_ranges=tuple(ip_network(text) for text in ranges),
                    gateway=parse_gateway_settings(obj["metadata"]),
                    is_gateway=(obj["metadata"].get("labels") or {}).get(GATEWAY_LABEL) == "true",
                    is_cordoned=obj.get("spec", {}).get("unschedulable") is True,
                )
            )
    return tuple(sorted(nodes, key=lambda node: node.name))


def read_endpoints(objects: Iterable[Object]) -> tuple[tuple[Endpoint, ...], tuple[Refusal, ...]]:
    """Return the Endpoints that can be read, and a refusal for each that cannot."""
    return Readings(parse_endpoint).of(objects)


def read_local_endpoints(gateways: Iterable[Object], nodes: Collection[str]) -> tuple[Endpoint, ...]:
    """Return what the gateway agents of these nodes say of themselves (``Gateway.status.localEndpoint``)."""
    local = [
        {"metadata": obj["metadata"], "spec": (obj.get("status") or {}).get("localEndpoint")}
        for obj in gateways
        if obj["metadata"]["name"] in nodes
    ]
    return read_endpoints(local)[0]


class MembershipView:
    """The cluster set as one agent sees it, planned anew only when something is different."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clusters = Readings(parse_cluster)
        self._endpoints = Readings(parse_endpoint)
        self._last: Last[object, tuple[Membership, tuple[Endpoint, ...]]] = Last()

    def read(
        self,
        drivers: DriverSet,
        nodes: tuple[Node, ...],
        clusters: tuple[Object, ...],
        endpoints: tuple[Object, ...],
    ) -> tuple[Membership, tuple[Endpoint, ...]]:
        """Return the cluster set as planned from all objects, and every readable Endpoint."""
        asked = (drivers, nodes, clusters, endpoints)
        return self._last.answer(asked, lambda: self._plan(*asked))

    def _plan(
        self,
        drivers: DriverSet,
        nodes: Iterable[Node],
        clusters: Iterable[Object],
        endpoints: Iterable[Object],
    ) -> tuple[Membership, tuple[Endpoint, ...]]:
        members, bad_clusters = self._clusters.of(clusters)
        readable, bad_endpoints = self._endpoints.of(endpoints)
        guarded = [*self._settings.guarded, *(node.underlay for node in nodes)]
        planned = plan_membership(self._settings.cluster, guarded, members, readable, drivers=drivers)
        refusals = (*planned.refusals, *bad_clusters, *bad_endpoints)
        return Membership(peers=planned.peers, refusals=refusals, known=planned.known), readable


def _internal_ip(obj: Object) -> str:
    for entry in obj.get("status", {}).get("addresses") or []:
        if entry.get("type") == "InternalIP":
            return str(entry["address"])
    return ""
