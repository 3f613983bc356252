"""From cached objects to the facts that planners take. What cannot be read is a refusal, not a crash."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.names import GATEWAY_LABEL
from reference_impl.planner.membership import Membership, Refusal, plan_membership
from reference_impl.planner.node import Node
from reference_impl.protocols.gateway_settings import parse_gateway_settings
from reference_impl.protocols.object_codec import MalformedObjectError, parse_cluster, parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reference_impl.agents.settings import Settings
    from reference_impl.drivers.api import Object
    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.protocols.objects import Cluster, Endpoint


def is_held_by(lease: Object | None, identity: str) -> bool:
    """Say whether a Lease names somebody as its holder."""
    return lease is not None and (lease.get("spec") or {}).get("holderIdentity") == identity


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
    endpoints: list[Endpoint] = []
    refusals: list[Refusal] = []
    for obj in objects:
        try:
            endpoints.append(parse_endpoint(obj))
        except Exception as error:  # noqa: BLE001 - what a peer wrote concerns that peer, whatever it does to a parser
            refusals.append(_malformed(obj, error))
    return tuple(endpoints), tuple(refusals)


def read_local_endpoints(gateways: Iterable[Object], nodes: Collection[str]) -> tuple[Endpoint, ...]:
    """Return what the gateway agents of these nodes say of themselves (``Gateway.status.localEndpoint``)."""
    local = [
        {"metadata": obj["metadata"], "spec": (obj.get("status") or {}).get("localEndpoint")}
        for obj in gateways
        if obj["metadata"]["name"] in nodes
    ]
    return read_endpoints(local)[0]


def read_clusters(objects: Iterable[Object]) -> tuple[tuple[Cluster, ...], tuple[Refusal, ...]]:
    """Return the Clusters that can be read, and a refusal for each that cannot."""
    clusters: list[Cluster] = []
    refusals: list[Refusal] = []
    for obj in objects:
        try:
            clusters.append(parse_cluster(obj))
        except Exception as error:  # noqa: BLE001 - likewise
            refusals.append(_malformed(obj, error))
    return tuple(clusters), tuple(refusals)


def read_membership(
    settings: Settings,
    drivers: DriverSet,
    nodes: Iterable[Node],
    clusters: Iterable[Object],
    endpoints: Iterable[Object],
) -> tuple[Membership, tuple[Endpoint, ...]]:
    """Return the cluster set as planned from all objects, and every readable Endpoint."""
    members, bad_clusters = read_clusters(clusters)
    readable, bad_endpoints = read_endpoints(endpoints)
    guarded = [*settings.guarded, *(node.underlay for node in nodes)]
    planned = plan_membership(settings.cluster, guarded, members, readable, drivers=drivers)
    refusals = (*planned.refusals, *bad_clusters, *bad_endpoints)
    return Membership(peers=planned.peers, refusals=refusals, known=planned.known), readable


def _malformed(obj: Object, error: Exception) -> Refusal:
    spec = obj.get("spec")
    cluster_id = spec.get("cluster_id") if isinstance(spec, dict) else None
    name = f"{obj.get('kind', 'object')} {obj['metadata']['name']}"
    text = str(error) if isinstance(error, MalformedObjectError) else f"{type(error).__name__}: {error}"
    return Refusal(cluster_id=str(cluster_id or ""), reason="Malformed", message=f"{name}: {text}")


def _internal_ip(obj: Object) -> str:
    for entry in obj.get("status", {}).get("addresses") or []:
        if entry.get("type") == "InternalIP":
            return str(entry["address"])
    return ""
