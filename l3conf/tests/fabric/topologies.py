"""Topologies for tests of the fabric."""

from __future__ import annotations

from ipaddress import ip_network

from l3conf.model.topology import ClusterSpec, NodeSpec, Topology


def cluster(number: int, name: str, *, nodes: int = 2, dual: bool = False) -> ClusterSpec:
    """Return a cluster with ranges of its own, by number."""
    six = (ip_network(f"fd00:{number}::/48"),) if dual else ()
    lan6 = (ip_network(f"fd01:{number}::/64"),) if dual else ()
    return ClusterSpec(
        name=name,
        pod_cidrs=(ip_network(f"10.{number}.0.0/16"), *six),
        service_cidrs=(ip_network(f"10.{100 + number}.0.0/16"),),
        node_cidrs=(ip_network(f"172.16.{number}.0/24"), *lan6),
        nodes=tuple(NodeSpec(name=f"{name}-{index + 1}", gateway=index == 0) for index in range(nodes)),
    )


def pair(*, nodes: int = 2, dual: bool = False) -> Topology:
    """Return two clusters, ``east`` and ``west``."""
    wan = (ip_network("192.0.2.0/24"), *((ip_network("2001:db8::/64"),) if dual else ()))
    clusters = (cluster(1, "east", nodes=nodes, dual=dual), cluster(2, "west", nodes=nodes, dual=dual))
    return Topology(name="pair", clusters=clusters, wan_cidrs=wan)
