"""Faults on the WAN as rulesets: pure text, loaded into the WAN's namespace.

Frames are dropped on the way from one site's bridge port to another's, whatever their addresses: tunnels,
clear packets, and flows that are already established. ARP and neighbour discovery pass, or a cut in one
direction would, one cache time-out later, silence the other direction as well.
"""

from __future__ import annotations

TABLE = "l3conf-faults"

BASE = f"""table bridge {TABLE} {{
    set cuts {{ type ifname . ifname; }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        ether type ip iifname . oifname @cuts drop
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
        ether type ip6 iifname . oifname @cuts drop
    }}
}}
"""
"""Loaded once; cuts come and go as set elements, which costs no grace period."""


def cut(source_port: str, destination_port: str) -> str:
    """Return the command that drops what goes from one bridge port to another."""
    return f'add element bridge {TABLE} cuts {{ "{source_port}" . "{destination_port}" }}\n'


def heal(source_port: str, destination_port: str) -> str:
    """Return the command that undoes ``cut``; it fails where nothing was cut."""
    return f'delete element bridge {TABLE} cuts {{ "{source_port}" . "{destination_port}" }}\n'
