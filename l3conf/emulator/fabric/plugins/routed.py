"""Network plugin ``routed``: a host route per pod, no bridge, and a host that guards what it forwards.

::

    pod eth0 ── veth ── pod<n> on the node (proxy ARP; fe80::1) ── node ── eth0 ── LAN
                                                                    └ route to each other node's slice

As of Calico without encapsulation on hosts with a firewall. An implementation must survive three habits: the policy
of ``FORWARD`` is drop and spares this plugin's own pods only; the reverse path is checked strictly on all links,
those of others included (IPv4: the kernel has no such setting for IPv6); what leaves the pod range is masqueraded.
``FORWARD`` stands where iptables keeps it, for an accept in a chain of one's own does not undo another's drop.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Interface
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import (
    FIRST_PORT,
    UPLINK,
    Address,
    Cable,
    NamespacePlan,
    Route,
    alone,
    default_route,
    mac_of,
    on_link,
)
from l3conf.emulator.fabric.plugins.lan import host_routes
from l3conf.emulator.fabric.plugins.masquerade import NFT_FAMILY, masquerade
from l3conf.emulator.fabric.plugins.protocol import NodeNetwork, PodNetwork
from l3conf.model.addressing import host, pod_ranges
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.model.topology import ClusterSpec, IPAddress

PORTS = "pod"
"""How names of ports begin: the firewall knows its own pods by them."""
GATEWAYS: dict[IPFamily, IPAddress] = {
    IPFamily.IPV4: IPv4Address("169.254.1.1"),  # nobody has it; the node answers for it
    IPFamily.IPV6: IPv6Address("fe80::1"),
}


def node_network(cluster: ClusterSpec, number: int) -> NodeNetwork:
    """Plan a node's routes to the other nodes' pods, its masquerade and its firewall."""
    families = (IPFamily.of(cidr) for cidr in cluster.pod_cidrs)
    return NodeNetwork(
        routes=host_routes(cluster, number),
        ruleset=masquerade(cluster) + "".join(_firewall(NFT_FAMILY[family]) for family in families),
        strict_reverse_path=True,
    )


def pod_network(cluster: ClusterSpec, number: int, offset: int, uid: str) -> PodNetwork:
    """Plan a pod behind a port of its own, and the host route to it."""
    own = [host(slice_, offset) for slice_ in pod_ranges(cluster, number)]
    port = FIRST_PORT + offset
    cable = Cable(
        port=f"{PORTS}{offset}",
        port_index=port,
        master=None,
        to=uid,
        name="eth0",
        index=UPLINK,
        mac=mac_of(own[0]),
    )
    gateway = IPv6Interface(f"{GATEWAYS[IPFamily.IPV6]}/64")
    return PodNetwork(
        cable=cable,
        namespace=_namespace(uid, own),
        port_addresses=tuple(Address(link=port, interface=gateway) for one in own if IPFamily.of(one) is IPFamily.IPV6),
        port_routes=tuple(Route(destination=alone(address), link=port) for address in own),
        answers_for_everyone=True,
    )


def _namespace(uid: str, own: Iterable[IPAddress]) -> NamespacePlan:
    routes: list[Route] = []
    addresses = tuple(own)
    for family in map(IPFamily.of, addresses):
        gateway = GATEWAYS[family]
        routes += [Route(destination=alone(gateway), link=UPLINK), default_route(gateway, link=UPLINK)]
    return NamespacePlan(
        key=uid,
        families=frozenset(map(IPFamily.of, addresses)),
        addresses=tuple(Address(link=UPLINK, interface=on_link(alone(address), 0)) for address in addresses),
        routes=tuple(routes),
    )


def _firewall(family: str) -> str:
    return f"""table {family} filter {{
    chain FORWARD {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "{PORTS}*" accept
        oifname "{PORTS}*" accept
    }}
}}
"""
