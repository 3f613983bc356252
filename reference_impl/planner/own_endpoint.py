"""What a gateway publishes of itself."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from reference_impl.names import DISCOVERY_PORT
from reference_impl.planner.ledger import gateway_address
from reference_impl.planner.prefix_translation import translated
from reference_impl.planner.skew import own_parameters
from reference_impl.protocols.objects import DISCOVERY_PORT as DISCOVERY_PORT_FIELD
from reference_impl.protocols.objects import PREFERRED_SERVER, Endpoint, cable_name
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.planner.driver_set import DriverSet
    from reference_impl.planner.node import Node
    from reference_impl.protocols.objects import Cluster
    from reference_impl.state import IPAddress


def known_addresses(cluster: Cluster, addresses: Mapping[int, IPAddress]) -> dict[int, IPAddress]:
    """Return under which addresses others know a gateway that has these among pods, by IP version."""
    known = dict(addresses)
    for pool in cluster.global_cidrs:
        address = addresses.get(pool.version)
        if isinstance(pool, IPv6Network) and isinstance(address, IPv6Address):
            known[pool.version] = translated(address, pool)
        elif address is not None:
            known[pool.version] = gateway_address(pool)
    return known


def own_endpoint(
    cluster: Cluster,
    node: Node,
    drivers: DriverSet,
    *,
    health_checks: Mapping[int, IPAddress],
    public_ip: IPAddress | None,
    behind_nat: bool,
    discovers: bool,
) -> Endpoint:
    """Return the Endpoint of a gateway node.

    ``health_checks`` holds the addresses that answer echoes, by IP version; ``behind_nat`` what the member's operator
    says of all its gateways; ``discovers`` whether the agent answers address discovery.
    """
    said, health = node.gateway, tuple(health_checks.values())
    parameters = {**own_parameters(VERSION, drivers.backend), **drivers.parameters}
    if discovers:
        port = DISCOVERY_PORT if said.discovery_port is None else said.discovery_port
        parameters[DISCOVERY_PORT_FIELD] = str(port)
    if said.preferred_server:
        parameters[PREFERRED_SERVER] = said.preferred_server
    return Endpoint(
        cluster_id=cluster.cluster_id,
        cable_name=cable_name(cluster.cluster_id, node.underlay),
        hostname=node.name,
        subnets=cluster.prefixes,
        private_ip=node.underlay,
        public_ip=public_ip,
        health_check_ip=next(iter(health), None),
        other_health_check_ips=health[1:],
        nat_enabled=behind_nat or said.public_ip is not None,
        backend=drivers.backend,
        port=drivers.port,
        parameters=frozenset(parameters.items()),
    )
