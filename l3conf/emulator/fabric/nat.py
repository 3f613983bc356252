"""What a site's router does to IPv4, as one nftables table: NAT with a chosen behaviour, and its filter. Pure text.

How it behaves, in the terms of RFC 4787 (``tests/fabric/test_nat.py`` classifies each kind from outside):

=========================== ==================== ========================== =========== =================
kind                        mapping              filtering                  hairpinning port preservation
=========================== ==================== ========================== =========== =================
endpoint-independent        endpoint-independent address and port dependent no          no
address-and-port-dependent  address and port     address and port dependent no          no (random)
static, a mapped port       endpoint-independent endpoint-independent       yes         as mapped
=========================== ==================== ========================== =========== =================

Plain masquerading keeps ports where it can and so overloads them: two hosts with the same port share an external
one until their destinations meet. That is no RFC 4787 mapping at all, so external ports are hashed from the
internal address and port instead; the same seed gives the same mapping, another seed a rebound one.

What nobody asked for is dropped before conntrack keeps it: an entry of the router's own would stand in the way of
the mapping that the other side of a hole punch makes a moment later.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.model.site import NATKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Network

TABLE = "l3conf-nat"
DARK_TABLE = "l3conf-reboot"
FIRST_PORT, PORTS = 32768, 28232
"""Dynamic mappings live above the ports of any well-known tunnel, and below 61000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A static map: a UDP port of the public address, and whose it is."""

    external: int
    address: IPv4Address
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NATPlan:
    """Everything that a site router's table is made from."""

    kind: NATKind
    public: IPv4Address
    inside: tuple[IPv4Network, ...]
    """LANs behind the router."""
    mappings: tuple[Mapping, ...] = ()
    udp_timeout: int
    """Seconds."""
    seed: int = 0
    """Decides the external ports of endpoint-independent mappings."""


def new_seed() -> int:
    """Return a seed under which a rebound NAT chooses other ports."""
    return secrets.randbits(32)


def nat_ruleset(plan: NATPlan) -> str:
    """Return the router's table as nftables text."""
    inbound, static = "".join(_inbound(plan)), "".join(_static_sources(plan))
    return f"""table ip {TABLE} {{
    ct timeout udp-mapping {{
        protocol udp
        l3proto ip
        policy = {{ unreplied : {plan.udp_timeout}, replied : {plan.udp_timeout} }}
    }}
    chain lifetime {{
        type filter hook prerouting priority filter; policy accept;
        meta l4proto udp ct timeout set "udp-mapping"
    }}
    chain inbound {{
        type nat hook prerouting priority dstnat; policy accept;
{inbound}    }}
    chain outbound {{
        type nat hook postrouting priority srcnat; policy accept;
{static}{_hairpin(plan)}        oifname != "wan" return
        ip saddr {plan.public} return
{_dynamic(plan)}    }}
    chain protection {{
        type filter hook forward priority filter; policy accept;
        oifname "wan" ct state invalid drop
        iifname != "wan" accept
        ct state established,related accept
        ct status dnat accept
        drop
    }}
    chain unsolicited {{
        type filter hook input priority filter; policy accept;
        ip daddr {plan.public} meta l4proto {{ tcp, udp }} ct state new drop
    }}
}}
"""


def dark_ruleset() -> str:
    """Return the table of a router that is off, as nftables text."""
    return f"""table inet {DARK_TABLE} {{
    chain forward {{ type filter hook forward priority raw; policy drop; }}
    chain input {{ type filter hook input priority raw; policy drop; }}
    chain output {{ type filter hook output priority raw; policy drop; }}
}}
"""


def _inbound(plan: NATPlan) -> Iterator[str]:
    for each in plan.mappings:
        yield f"        ip daddr {plan.public} udp dport {each.external} dnat to {each.address}:{each.port}\n"


def _static_sources(plan: NATPlan) -> Iterator[str]:
    """Yield the other direction of static maps, towards the WAN and around the hairpin."""
    for each in plan.mappings:
        source = f"ip saddr {each.address} udp sport {each.port}"
        yield f'        oifname "wan" {source} snat to {plan.public}:{each.external}\n'
        yield f"        ct status dnat {source} snat to {plan.public}:{each.external}\n"


def _hairpin(plan: NATPlan) -> str:
    """Return the rule by which a static map works from inside too: with an external source (RFC 4787 REQ-9)."""
    if not plan.mappings:
        return ""
    inside = ", ".join(map(str, plan.inside))
    return f"        ct status dnat ip saddr {{ {inside} }} snat to {plan.public}\n"


def _dynamic(plan: NATPlan) -> str:
    if plan.kind is NATKind.ADDRESS_AND_PORT_DEPENDENT:
        return f"        snat to {plan.public} fully-random\n"
    hashed = f"jhash ip saddr . udp sport mod {PORTS} seed 0x{plan.seed:x} offset {FIRST_PORT}"
    return f"        meta l4proto udp snat to {plan.public}:{hashed}\n        snat to {plan.public}\n"
