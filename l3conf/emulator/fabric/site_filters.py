"""What sites drop: foreign sources on the LAN, ICMP errors at the router; what the WAN refuses. Pure nftables text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.model.addressing import CONTROL_PLANE_OFFSET, host, node_addresses, pod_ranges
from l3conf.model.public_addresses import is_hidden
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import ClusterSpec, Topology

_ERRORS = "destination-unreachable, time-exceeded, parameter-problem"


def source_filter(cluster: ClusterSpec, behind: Mapping[str, tuple[str, ...]]) -> str:
    """Return the filter of a cloud's LAN, by bridge port: a node sends under its own addresses only.

    A node's pods count as its own, as clouds have it that know pod ranges (secondary or alias addresses); packets
    that it forwards for another cluster do not. ``behind`` has the prefixes of further sites by their port. IPv4.
    """
    allowed = {"control-plane": tuple(str(host(cidr, CONTROL_PLANE_OFFSET)) for cidr in cluster.node_cidrs), **behind}
    for number, _ in cluster.numbered_nodes:
        allowed[f"node{number}"] = tuple(map(str, (*node_addresses(cluster, number), *pod_ranges(cluster, number))))
    rules = "".join(
        f'        iifname "{port}" ip saddr != {{ {", ".join(four)} }} drop\n'
        for port, prefixes in allowed.items()
        if (four := [prefix for prefix in prefixes if ":" not in prefix])
    )
    # Made, deleted and made again in one transaction: the text can be loaded whether or not there is such a table.
    return f"""table bridge l3conf-cloud
delete table bridge l3conf-cloud
table bridge l3conf-cloud {{
    chain sources {{
        type filter hook prerouting priority filter; policy accept;
{rules}    }}
}}
"""


def icmp_error_filter() -> str:
    """Return the filter of a site that takes ICMP for an attack: no error passes the router, nor leaves it."""
    drop = f"icmp type {{ {_ERRORS} }} drop\n        icmpv6 type {{ {_ERRORS}, packet-too-big }} drop"
    return f"""table inet l3conf-icmp-filter {{
    chain forward {{
        type filter hook forward priority filter; policy accept;
        {drop}
    }}
    chain output {{
        type filter hook output priority filter; policy accept;
        {drop}
    }}
}}
"""


def wan_refusal(topology: Topology) -> str:
    """Return the rules by which the WAN answers network unreachable.

    Without a route the kernel would say so itself, but no more than once a second to each sender, and that limit
    (net.ipv4.route.error_cost) belongs to the host. IPv6 has no such limit and needs no rule.
    """
    if all(IPFamily.of(cidr) is not IPFamily.IPV4 for cidr in topology.wan_cidrs):
        return ""
    routed = [cluster for cluster in topology.clusters if not is_hidden(topology, cluster)]
    lans = [str(cidr) for cluster in routed for cidr in cluster.node_cidrs if cidr.version == 4]  # noqa: PLR2004
    elsewhere = f"ip daddr != {{ {', '.join(lans)} }} " if lans else ""
    return f"""table ip l3conf-wan {{
    chain forward {{
        type filter hook forward priority filter; policy accept;
        {elsewhere}reject with icmp type net-unreachable
    }}
}}
"""
