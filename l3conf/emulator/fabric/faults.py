"""Faults on the WAN as rulesets: pure text, loaded into the WAN's namespace.

Frames are dropped on the way from one site's bridge port to another's, whatever their addresses: tunnels,
clear packets, and flows that are already established. ARP and neighbour discovery pass, or a cut in one
direction would, one cache time-out later, silence the other direction as well.
"""

from __future__ import annotations

TABLE = "l3conf-faults"

_MILLION = 1_000_000
_BURST = 65536
"""Octets: the largest frame that segmentation offload hands over in one piece; with less it would never pass."""

BASE = f"""table bridge {TABLE} {{
    set cuts {{ type ifname . ifname; }}
    set detours {{ type ifname . ifname; }}
    map losses {{ type ifname . ifname : verdict; }}
    map rates {{ type ifname . ifname : verdict; }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        ether type != {{ ip, ip6 }} accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
        iifname . oifname @cuts drop
        iifname . oifname vmap @losses
        iifname . oifname vmap @rates
        iifname . oifname @detours drop
    }}
}}
"""
"""Loaded once; faults come and go as elements, and the flow through other ports is not touched."""


def cut(source_port: str, destination_port: str) -> str:
    """Return the command that drops what goes from one bridge port to another."""
    return f"add element bridge {TABLE} cuts {_pair(source_port, destination_port)}\n"


def heal(source_port: str, destination_port: str) -> str:
    """Return the command that undoes ``cut``; it fails where nothing was cut."""
    return f"delete element bridge {TABLE} cuts {_pair(source_port, destination_port)}\n"


def detour(source_port: str, destination_port: str) -> str:
    """Return the command that leaves what goes from one port to another to a relay."""
    return f"add element bridge {TABLE} detours {_pair(source_port, destination_port)}\n"


def end_detour(source_port: str, destination_port: str) -> str:
    """Return the command that undoes ``detour``."""
    return f"delete element bridge {TABLE} detours {_pair(source_port, destination_port)}\n"


def lose(source_port: str, destination_port: str, share: float) -> str:
    """Return the commands that drop a share (0 to 1) of what goes from one port to another, each by chance."""
    lost = round(share * _MILLION)
    rule = f"numgen random mod {_MILLION} < {lost} drop" if lost < _MILLION else "drop"
    return _begin("loss", "losses", source_port, destination_port, rule)


def end_loss(source_port: str, destination_port: str) -> str:
    """Return the commands that undo ``lose``."""
    return _end("loss", "losses", source_port, destination_port)


def limit(source_port: str, destination_port: str, bytes_per_second: int) -> str:
    """Return the commands that drop what exceeds a rate, in octets of IP."""
    rule = f"limit rate over {bytes_per_second} bytes/second burst {_BURST} bytes drop"
    return _begin("rate", "rates", source_port, destination_port, rule)


def end_limit(source_port: str, destination_port: str) -> str:
    """Return the commands that undo ``limit``."""
    return _end("rate", "rates", source_port, destination_port)


def burst(bytes_per_second: int) -> int:
    """Return the octets that may pass at once: nftables saves a second's worth of a rate beside the burst."""
    return bytes_per_second + _BURST


def _pair(source_port: str, destination_port: str) -> str:
    return f'{{ "{source_port}" . "{destination_port}" }}'


def _begin(kind: str, table: str, source_port: str, destination_port: str, rule: str) -> str:
    chain = f"{kind}-{source_port}-{destination_port}"
    element = f'{{ "{source_port}" . "{destination_port}" : jump {chain} }}'
    return (
        f"add chain bridge {TABLE} {chain}\nadd rule bridge {TABLE} {chain} {rule}\n"
        f"add element bridge {TABLE} {table} {element}\n"
    )


def _end(kind: str, table: str, source_port: str, destination_port: str) -> str:
    chain = f"{kind}-{source_port}-{destination_port}"
    element = f'{{ "{source_port}" . "{destination_port}" : jump {chain} }}'
    return (
        f"delete element bridge {TABLE} {table} {element}\n"
        f"flush chain bridge {TABLE} {chain}\ndelete chain bridge {TABLE} {chain}\n"
    )
