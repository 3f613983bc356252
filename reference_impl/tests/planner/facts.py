"""Facts for planner tests, and strategies that make more of them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hypothesis import strategies as st

from reference_impl.planner.node import Node, NodeFacts
from reference_impl.protocols.objects import Cluster, Endpoint, cable_name
from reference_impl.state import InterfaceAddress, IPNetwork

OWN = Cluster(cluster_id="east", pod_cidrs=(ip_network("10.1.0.0/16"),), service_cidrs=(ip_network("10.101.0.0/16"),))
NODES = tuple(
    Node(
        name=f"east-{index + 1}",
        underlay=ip_address(f"172.16.1.{10 + index}"),
        pod_ranges=(ip_network(f"10.1.{index}.0/24"),),
    )
    for index in range(3)
)
REMOTE = (ip_network("10.102.0.0/16"), ip_network("10.2.0.0/16"))
REMOTE_V6 = (ip_network("fd11:2::/112"), ip_network("fd10:2::/56"))


def addresses_of(index: int) -> tuple[InterfaceAddress, ...]:
    return (
        InterfaceAddress(device="eth0", address=NODES[index].underlay, mtu=1500),
        InterfaceAddress(device="cni0", address=ip_address(f"10.1.{index}.1"), mtu=1500),
    )


def node_facts(index: int = 1, **changes: object) -> NodeFacts:
    values: dict[str, object] = {
        "own": OWN,
        "node": NODES[index],
        "others": tuple(node for node in NODES if node is not NODES[index]),
        "gateway": NODES[0].underlay,
        "known": REMOTE,
        "reachable": REMOTE,
        "addresses": addresses_of(index),
    }
    return NodeFacts(**(values | changes))  # type: ignore[arg-type]


def cluster(number: int, *, created: str = "2026-01-01T00:00:00Z") -> Cluster:
    return Cluster(
        cluster_id=f"c{number}",
        pod_cidrs=(ip_network(f"10.{number}.0.0/16"),),
        service_cidrs=(ip_network(f"10.{100 + number}.0.0/16"),),
        created=created,
    )


def endpoint(number: int, **changes: object) -> Endpoint:
    member = cluster(number)
    underlay = ip_address(f"172.16.{number}.10")
    values: dict[str, object] = {
        "cluster_id": member.cluster_id,
        "cable_name": cable_name(member.cluster_id, underlay),
        "hostname": f"{member.cluster_id}-1",
        "subnets": member.prefixes,
        "private_ip": underlay,
        "health_check_ip": ip_address(f"10.{number}.0.1"),
    }
    return Endpoint(**(values | changes))  # type: ignore[arg-type]


DUAL = Cluster(
    cluster_id="east",
    pod_cidrs=(ip_network("10.1.0.0/16"), ip_network("fd10:1::/56")),
    service_cidrs=(ip_network("10.101.0.0/16"), ip_network("fd11:1::/112")),
)

prefixes = st.builds(
    lambda value, length: IPv4Network((value >> (32 - length) << (32 - length), length)),
    st.integers(10 << 24, (10 << 24) + (1 << 24) - 1),
    st.integers(12, 24),
)
addresses = st.integers(1 << 24, (223 << 24)).map(IPv4Address)


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    """Draw an Endpoint of one of a few members, with prefixes that often overlap."""
    number = draw(st.integers(2, 6))
    return endpoint(
        number,
        subnets=tuple(draw(st.lists(prefixes, min_size=1, max_size=3, unique=True))),
        created=draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"])),
        private_ip=draw(addresses),
    )


def overlap(left: IPNetwork, right: IPNetwork) -> bool:
    """Say whether two prefixes share an address, the plain way."""
    return left.version == right.version and left.overlaps(right)
