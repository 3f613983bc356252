"""The nftables rules that give a cluster its global addresses: on the active gateway, before and after everybody's NAT.

However many addresses there are, a new connection costs one look into a map on its way in, and two on its way out; the
packets that follow cost none: connection tracking translates them, answers and ICMP errors in both directions too.
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
BEFORE_SERVICES = "dstnat - 10"
"""Before kube-proxy, for which a global address is none of its Services'."""


def global_ruleset(translations: Sequence[Translation], devices: Iterable[str]) -> Ruleset:
    """Plan the rules of the active gateway. ``devices``: what cables come out of and go into.

    Destinations change wherever a packet comes from, sources only on the way into a cable. What is relayed between
    other members, or sent from a global address already, keeps both.
    """
    cables = "{ " + ", ".join(f'"{device}"' for device in sorted({*devices})) + " }"
    groups = {_name("as", addresses): addresses for each in translations for addresses in each.egress.values()}
    groups |= {_name("as", each.cluster): each.cluster for each in translations if each.cluster}
    doors = {_door(door): (each.pool.version, door) for each in translations for door in each.doors}
    named = {name: _calling_as(addresses) for name, addresses in sorted(groups.items())}
    named |= {name: (_behind(version, door),) for name, (version, door) in sorted(doors.items())}
    return Ruleset(
        table=GLOBAL_TABLE,
        sets=host_sets("strangers", [host for each in translations for host in each.strangers]),
        maps=tuple(item for each in translations for item in _maps(each)),
        chains=(
            *(Chain(name=name, rules=rules, by_content=True) for name, rules in named.items()),
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
    if each.prefixes:
        return
    alone = {local: known for known, local in sorted(each.hosts.items(), key=str, reverse=True)}
    yield _lookup(f"inwards_v{version}", address, address, each.hosts)
    yield _lookup(f"outwards_v{version}", address, address, alone)
    callers = {local: f"goto {_name('as', addresses)}" for local, addresses in each.egress.items()}
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
    if each.prefixes:
        outwards = {inside: outside for outside, inside in each.prefixes.items()}
        yield f"snat {ip} prefix to {ip} saddr map {_map(outwards.items())}"
    else:
        yield f"snat {ip} to {ip} saddr map @outwards_v{version}"
        yield f"{ip} saddr vmap @callers_v{version}"
    # Without an address to call from, nothing may leave: no member could answer, and a filter there would drop it.
    yield (
        f"meta nfproto {protocol} goto {_name('as', each.cluster)}" if each.cluster else f"meta nfproto {protocol} drop"
    )


def _calling_as(addresses: Sequence[IPAddress]) -> tuple[str, ...]:
    """Spread flows over addresses by their ports, so that each address adds its own 64,512 to one destination."""
    ip, count = FAMILY[addresses[0].version], len(addresses)
    if count == 1:
        return (f"snat {ip} to {addresses[0]}",)
    choice = _map(enumerate(addresses))
    return (
        f"meta l4proto {{ tcp, udp, sctp }} snat {ip} to jhash {ip} saddr . th sport mod {count} map {choice}",
        f"snat {ip} to jhash {ip} saddr mod {count} map {choice}",
    )


def _behind(version: int, door: Door) -> str:
    """Choose a backend at random, as kube-proxy does."""
    ip = FAMILY[version]
    to = f"meta l4proto {door.protocol} dnat {ip} to"
    if len(door.backends) == 1:
        ((address, port),) = door.backends
        return f"{to} {address if version == 4 else f'[{address}]'}:{port}"  # noqa: PLR2004 - the IP version number
    choice = {index: f"{address} . {port}" for index, (address, port) in enumerate(door.backends)}
    return f"{to} numgen random mod {len(choice)} map {_map(choice.items())}"


def _map(entries: Iterable[tuple[object, object]]) -> str:
    return "{ " + ", ".join(f"{key} : {value}" for key, value in entries) + " }"


def _door(door: Door) -> str:
    """Return the chain that leads to these backends; whatever address it is that leads there."""
    return _name(f"to-{door.protocol}", [f"{address} {port}" for address, port in door.backends])


def _name(kind: str, content: Sequence[object]) -> str:
    """Return the name of a chain by what it does."""
    return f"{kind}-{hashlib.sha256(' '.join(map(str, content)).encode()).hexdigest()[:12]}"
