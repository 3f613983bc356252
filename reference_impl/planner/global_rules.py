"""The nftables rules that give a cluster its global addresses: on the active gateway, before and after everybody's NAT.

However many addresses there are, a new connection costs one look into a map on its way in, and two on its way out; the
packets that follow cost none: connection tracking translates them, answers and ICMP errors in both directions too.

Every choice follows from the packet alone, so that a gateway that takes over in the middle of a connection and knows
nothing of it makes the same ones (ADR 35).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from reference_impl.names import GLOBAL_TABLE
from reference_impl.planner.cable_rules import FIRST_SOURCE_NAT
from reference_impl.planner.rule_parts import FAMILY, PROTOCOL, host_sets
from reference_impl.state import Chain, LookupMap, Ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.translation import Door, Translation
    from reference_impl.state import IPAddress

PROTOCOL_NUMBER = {"tcp": 6, "udp": 17, "sctp": 132}
SEED = 0x53
"""Of every choice: the kernel would take another one on each gateway."""
BEFORE_SERVICES = "dstnat - 10"
"""Before kube-proxy, for which a global address is none of its Services'."""


def global_ruleset(translations: Sequence[Translation], devices: Iterable[str]) -> Ruleset:
    """Plan the rules of the active gateway. ``devices``: what cables come out of and go into.

    Destinations change wherever a packet comes from, sources only on the way into a cable. What is relayed between
    other members, or sent from a global address already, keeps both.
    """
    cables = "{ " + ", ".join(f'"{device}"' for device in sorted({*devices})) + " }"
    groups = [addresses for each in translations for addresses in (*each.egress.values(), each.cluster) if addresses]
    named = {_as(addresses): _calling_as(addresses) for addresses in groups}
    named |= {_door(door): _behind(door) for each in translations for door in each.doors}
    return Ruleset(
        table=GLOBAL_TABLE,
        sets=host_sets("strangers", [host for each in translations for host in each.strangers]),
        maps=tuple(item for each in translations for item in _maps(each)),
        chains=(
            *(Chain(name=name, rules=rules, by_content=True) for name, rules in sorted(named.items())),
            Chain(
                name="arriving",
                kind="nat",
                hook="prerouting",
                priority=BEFORE_SERVICES,
                rules=tuple(rule for each in translations for rule in _arriving(each)),
            ),
            Chain(
                name="leaving",
                kind="nat",
                hook="postrouting",
                priority=FIRST_SOURCE_NAT,
                rules=(
                    *(rule for each in translations for rule in _to_strangers(each, cables)),
                    f"oifname != {cables} accept",
                    f"iifname {cables} accept",
                    *(rule for each in translations for rule in _leaving(each)),
                ),
            ),
        ),
    )


def _maps(each: Translation) -> Iterable[LookupMap]:
    """Yield where keys are looked up, also where there are none yet: the rules need not change for the first one."""
    version = each.pool.version
    address = f"ipv{version}_addr"
    doors = {
        f"{door.address} . {PROTOCOL_NUMBER[door.protocol]} . {door.port}": f"goto {_door(door)}" for door in each.doors
    }
    yield _lookup(f"doors_v{version}", f"{address} . inet_proto . inet_service", "verdict", doors)
    answers, unclear = _answers(each)
    yield _lookup(f"answers_v{version}", f"{address} . inet_service", f"{address} . inet_service", answers)
    yield _lookup(f"unclear_v{version}", f"{address} . inet_service", "verdict", unclear)
    if each.prefixes:
        return
    alone = {local: known for known, local in sorted(each.hosts.items(), key=str, reverse=True)}
    yield _lookup(f"inwards_v{version}", address, address, each.hosts)
    yield _lookup(f"outwards_v{version}", address, address, alone)
    callers = {local: f"goto {_as(addresses)}" for local, addresses in each.egress.items()}
    yield _lookup(f"callers_v{version}", address, "verdict", callers)


def _lookup(name: str, key: str, value: str, elements: Mapping[Any, object]) -> LookupMap:
    listed = tuple(sorted((str(left), str(right)) for left, right in elements.items()))
    return LookupMap(name=name, key=key, value=value, elements=listed)


def _arriving(each: Translation) -> Iterable[str]:
    version = each.pool.version
    ip = FAMILY[version]
    to_doors = f"{ip} daddr {each.pool} {ip} daddr . meta l4proto . th dport vmap @doors_v{version}"
    if each.prefixes:
        yield to_doors
        yield f"dnat {ip} prefix to {ip} daddr map {_map(each.prefixes.items())}"
        return
    yield f"{ip} daddr {each.pool} dnat {ip} to {ip} daddr map @inwards_v{version}"
    yield to_doors


def _to_strangers(each: Translation, cables: str) -> Iterable[str]:
    """Let who is outside of the cluster answer this node: it knows no way back to another member."""
    if each.strangers:
        version = each.pool.version
        ip = FAMILY[version]
        yield f"iifname {cables} ct original {ip} daddr {each.pool} {ip} daddr @strangers_v{version} masquerade"


def _leaving(each: Translation) -> Iterable[str]:
    version = each.pool.version
    ip, protocol = FAMILY[version], PROTOCOL[version]
    yield f"{ip} saddr {each.pool} accept"
    midway = f"meta nfproto {protocol} tcp flags & (syn | rst) == 0"
    yield f"{midway} snat {ip} to {ip} saddr . tcp sport map @answers_v{version}"
    yield f"{midway} {ip} saddr . tcp sport vmap @unclear_v{version}"
    if each.prefixes:
        outwards = {inside: outside for outside, inside in each.prefixes.items()}
        yield f"snat {ip} prefix to {ip} saddr map {_map(outwards.items())}"
    else:
        yield f"snat {ip} to {ip} saddr map @outwards_v{version}"
        yield f"{ip} saddr vmap @callers_v{version}"
    # Without an address to call from, nothing may leave: no member could answer, and a filter there would drop it.
    yield f"meta nfproto {protocol} " + (f"goto {_as(each.cluster)}" if each.cluster else "drop")


def _answers(each: Translation) -> tuple[dict[str, str], dict[str, str]]:
    """Return as whom a backend goes on with a connection of which this gateway knows nothing, by address and port.

    And those of whom that cannot be told: they wait until the caller says something.
    """
    found: dict[str, set[str]] = {}
    own = {*each.hosts.values()}
    alone: set[str] = set()
    for door in each.doors:
        for address, port in door.backends if door.protocol == "tcp" else ():
            key = f"{address} . {port}"
            found.setdefault(key, set()).add(f"{door.address} . {door.port}")
            if address in own:
                alone.add(key)
    clear = {key: min(doors) for key, doors in found.items() if len(doors) == 1 and key not in alone}
    return clear, dict.fromkeys(found.keys() - clear.keys(), "drop")


def _calling_as(addresses: Sequence[IPAddress]) -> tuple[str, ...]:
    """Spread flows over addresses by their ports, so that each address adds its own 64,512 to one destination."""
    ip, count = FAMILY[addresses[0].version], len(addresses)
    if count == 1:
        return (f"snat {ip} to {addresses[0]}",)
    chosen = f"mod {count} seed {SEED:#x} map {_map(enumerate(addresses))}"
    return (
        f"meta l4proto {{ tcp, udp, sctp }} snat {ip} to jhash {ip} saddr . th sport {chosen}",
        f"snat {ip} to jhash {ip} saddr {chosen}",
    )


def _behind(door: Door) -> tuple[str, ...]:
    """Choose a backend for a connection by who calls from which port."""
    version, count = door.address.version, len(door.backends)
    ip = FAMILY[version]
    to = f"meta l4proto {door.protocol} dnat {ip} to"
    if count == 1:
        ((address, port),) = door.backends
        return (f"{to} {address if version == 4 else f'[{address}]'}:{port}",)  # noqa: PLR2004 - the IP version number
    choice = _map((index, f"{address} . {port}") for index, (address, port) in enumerate(door.backends))
    return (f"{to} jhash {ip} saddr . th sport mod {count} seed {SEED:#x} map {choice}",)


def _map(entries: Iterable[tuple[object, object]]) -> str:
    return "{ " + ", ".join(f"{key} : {value}" for key, value in entries) + " }"


def _as(addresses: Sequence[IPAddress]) -> str:
    return _name("as", _calling_as(addresses))


def _door(door: Door) -> str:
    """Return the chain that leads to these backends; whatever address it is that leads there."""
    return _name(f"to-{door.protocol}", _behind(door))


def _name(kind: str, rules: Sequence[str]) -> str:
    """Return the name of a chain by what it does."""
    return f"{kind}-{hashlib.sha256(' '.join(rules).encode()).hexdigest()[:12]}"
