"""Docker networks of a topology: one a site, and the WAN between them. Pure.

::

    LAN   .1 site router   .3+k routers of sites behind this one   .64 to .127 nodes      .254 the host
    WAN   .2 broker        .3 outsider   .10+i router of the i-th site                    .254 the host

Addresses of routers, broker and outsider are those of the file (``model.addressing``). Nodes get theirs from docker,
which takes no wishes from kind: a node's number follows from its address instead. The host's own address, docker's
gateway, is moved out of the way, and nothing uses it: docker masquerades none of these networks. Where bridges call
iptables it would otherwise rewrite packets that pass one bridge and come from the range of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING

from l3conf.model.addressing import BROKER_OFFSET, host
from l3conf.model.site import ETHERNET_MTU

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.labs.kind.naming import Names
    from l3conf.model.topology import IPAddress, IPNetwork, Topology

FIRST_OFFSET, RANGE_SIZE = 64, 64
"""Where docker's own choices begin, and how many there are."""
GATEWAY_OFFSET = 254
_HOST_BITS = 8
MTU_OPTION, MASQUERADE_OPTION = "com.docker.network.driver.mtu", "com.docker.network.bridge.enable_ip_masquerade"
"""Options of docker's bridge driver (docs.docker.com, "Bridge network driver")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One range of a network, as docker's IPAM takes it."""

    cidr: IPNetwork
    handed_out: IPNetwork
    """From where containers that ask for no address get one."""
    gateway: IPAddress
    """The host's own address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """One docker network."""

    name: str
    subnets: tuple[Subnet, ...]
    mtu: int
    labels: tuple[tuple[str, str], ...]

    @property
    def has_ipv6(self) -> bool:
        """Whether docker has to be told of IPv6."""
        return any(not isinstance(subnet.cidr, IPv4Network) for subnet in self.subnets)


def has_room(cidr: IPNetwork) -> bool:
    """Say whether a range holds the addresses above."""
    return cidr.max_prefixlen - cidr.prefixlen >= _HOST_BITS


def networks_of(topology: Topology, names: Names) -> tuple[NetworkPlan, ...]:
    """Return the WAN and the LAN of every site."""
    wan = NetworkPlan(
        name=names.wan,
        # One address is handed out, to the only node of the broker's cluster; the outsider asks for the other.
        subnets=tuple(_subnet(cidr, BROKER_OFFSET, 2) for cidr in topology.wan_cidrs),
        mtu=ETHERNET_MTU,
        labels=_sorted(names.labels("wan", cluster=names.broker)),
    )
    lans = (
        NetworkPlan(
            name=names.cluster(cluster.name),
            subnets=tuple(_subnet(cidr, FIRST_OFFSET, RANGE_SIZE) for cidr in cluster.node_cidrs),
            mtu=cluster.site.lan_mtu,
            labels=_sorted(names.labels("site", cluster.name, names.cluster(cluster.name))),
        )
        for cluster in topology.clusters
    )
    return (wan, *lans)


def same_host(addresses: Sequence[IPAddress], cidrs: Sequence[IPNetwork]) -> int | None:
    """Return the offset that all of a machine's addresses have in their ranges; None if they differ, or lie elsewhere.

    Docker hands out each family by itself, and may give two machines that begin at once different orders in them.
    """
    offsets = {int(address) - int(cidr.network_address) for address in addresses for cidr in cidrs if address in cidr}
    return offsets.pop() if len(offsets) == 1 and len(addresses) >= len(cidrs) else None


def _subnet(cidr: IPNetwork, first: int, size: int) -> Subnet:
    length = cidr.max_prefixlen - (size.bit_length() - 1)
    return Subnet(cidr=cidr, handed_out=ip_network(f"{host(cidr, first)}/{length}"), gateway=host(cidr, GATEWAY_OFFSET))


def _sorted(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
