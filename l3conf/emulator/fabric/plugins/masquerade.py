"""The habit that all plugins here share: pods that leave their cluster's pod range are hidden behind their node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.model.topology import ClusterSpec, IPNetwork

TABLE = "l3conf-cni"
NFT_FAMILY = {IPFamily.IPV4: "ip", IPFamily.IPV6: "ip6"}


def masquerade(cluster: ClusterSpec) -> str:
    """Return the ruleset that hides pods behind their node when they leave the cluster's pod range.

    It spares nothing but the cluster's own pods, so it also catches what is bound for another cluster.
    """
    return "".join(_table(cidr) for cidr in cluster.pod_cidrs)


def _table(cidr: IPNetwork) -> str:
    family = NFT_FAMILY[IPFamily.of(cidr)]
    return f"""table {family} {TABLE} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        {family} saddr {cidr} {family} daddr != {cidr} masquerade
    }}
}}
"""
