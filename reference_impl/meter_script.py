"""How meters read as an nft script.

Counters are never replaced: the scripts add what is missing, and put new maps and rules around the counters that
are there. So they go on through any change of plan and any restart of an agent, and lose no packet on the way. Which
meters were loaded is told by the name of one more counter: listing the counters tells all that must be known.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reference_impl.state import Flow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reference_impl.state import Meter, Meters

MARK = "meters-"
"""How the name of the counter begins that counts nothing and says what was loaded."""
_AT_ONCE = 40_000
"""Characters of a script that are one transaction in any case."""
STRANGERS = "strangers"
"""Name of the counter of tunnel packets from addresses that are no peer's."""
PART = 500
"""Elements of a map that are added at once; one takes some 100 bytes of a message."""
_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_IP = {4: "ip", 6: "ip6"}
_WAYS = {Flow.RECEIVED: ("iifname", "saddr"), Flow.SENT: ("oifname", "daddr")}
_CHAINS = {
    # Each packet of a pod is looked at once, and outer packets, many for one that they carry, never where pods' are.
    # After all filters: what they drop did not come from the peer, or is not sent.
    "forwarded": ("forward", "security", (Flow.RECEIVED, Flow.SENT)),
    "received": ("input", "filter - 5", (Flow.RECEIVED,)),
    "sent": ("output", "security", (Flow.SENT,)),
}
_ARRIVING = "received"
"""The chain that sees tunnel packets, before the filter of the underlay drops those of strangers."""


def counter_name(peer: str, flow: Flow) -> str:
    """Return the name of a peer's counter. Not its cluster id itself: nft's names are narrower than what peers say."""
    return f"{flow.value}-{hashlib.sha256(peer.encode()).hexdigest()[:24]}"


def mark(meters: Meters) -> str:
    """Return the counter's name that says that these meters were loaded."""
    return f"{MARK}{_digest(meters)}"


def render(meters: Meters, found: Collection[str] = ()) -> tuple[str, ...]:
    """Return the nft scripts that make the table hold these meters, one transaction each, in order.

    ``found`` holds the names of the counters that are there; those that are not wanted are deleted. Maps are filled
    beside those in use, in parts, because the kernel takes 200 KB at once from a process without privilege in the
    initial user namespace (``net.core.wmem_max``). The last transaction alone changes what is counted.
    """
    wanted = [*_names(meters), STRANGERS]
    steps = (
        _script(_prepare(meters, wanted)),
        *(_script([line]) for line in _fill(meters)),
        _script([*_switch(meters), *_clear(meters, found, wanted)]),
    )
    return steps if sum(map(len, steps)) > _AT_ONCE else ("".join(steps),)


def _script(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _names(meters: Meters) -> Iterable[str]:
    return (counter_name(meter.peer, flow) for meter in _ordered(meters) for flow in Flow)


def _digest(meters: Meters) -> str:
    """Return a name for all that is to be counted."""
    said = (
        sorted(meters.devices),
        [(door.port, sorted(map(str, door.peers))) for door in sorted(meters.doors, key=lambda door: door.port)],
        [(meter.peer, sorted(map(str, meter.prefixes))) for meter in _ordered(meters)],
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _maps(digest: str) -> Iterable[tuple[Flow, int, str]]:
    """Return the maps of what was loaded under a digest: way, IP version and name."""
    return ((flow, version, f"{flow.value}_v{version}_{digest[:12]}") for flow in Flow for version in _IP)


def _prepare(meters: Meters, wanted: Iterable[str]) -> Iterable[str]:
    yield f"add table inet {meters.table}"
    yield from (f"add counter inet {meters.table} {name}" for name in wanted)
    yield from (_add_map(meters.table, version, name) for _, version, name in _maps(_digest(meters)))


def _add_map(table: str, version: int, name: str) -> str:
    return f"add map inet {table} {name} {{ type {_ADDRESS_TYPE[version]} : counter; flags interval; }}"


def _fill(meters: Meters) -> Iterable[str]:
    for flow, version, name in _maps(_digest(meters)):
        elements = _elements(meters, flow, version)
        for start in range(0, len(elements), PART):
            yield f"add element inet {meters.table} {name} {{ {', '.join(elements[start : start + PART])} }}"


def _switch(meters: Meters) -> Iterable[str]:
    devices = ", ".join(f'"{device}"' for device in sorted(meters.devices))
    maps = {(flow, version): name for flow, version, name in _maps(_digest(meters)) if _elements(meters, flow, version)}
    for name, (hook, priority, flows) in _CHAINS.items():
        chain = f"inet {meters.table} {name}"
        yield f"add chain {chain} {{ type filter hook {hook} priority {priority}; policy accept; }}"
        yield f"flush chain {chain}"
        for (flow, version), elements in maps.items():
            if flow in flows:
                side, field = _WAYS[flow]
                yield f"add rule {chain} {side} {{ {devices} }} counter name {_IP[version]} {field} map @{elements}"
    yield from _strangers(meters)
    yield f"add counter inet {meters.table} {mark(meters)}"


def _clear(meters: Meters, found: Collection[str], wanted: Iterable[str]) -> Iterable[str]:
    """Delete counters that nobody wants any more, and the maps of what was loaded before."""
    for name in sorted(set(found) - {*wanted, mark(meters)}):
        if name.startswith(MARK):
            for _, version, old in _maps(name.removeprefix(MARK)):
                yield _add_map(meters.table, version, old)  # so that it can be deleted, whatever became of it
                yield f"delete map inet {meters.table} {old}"
        yield f"delete counter inet {meters.table} {name}"


def _strangers(meters: Meters) -> Iterable[str]:
    """Count before the filter of the underlay drops them."""
    chain = f"inet {meters.table} {_ARRIVING}"
    for door in sorted(meters.doors, key=lambda door: door.port):
        for version, ip in _IP.items():
            known = ", ".join(sorted(str(peer) for peer in door.peers if peer.version == version))
            if known:
                known = f"{ip} saddr != {{ {known} }} fib daddr type != unicast"
                yield f"add rule {chain} udp dport {door.port} {known} counter name {STRANGERS}"


def _elements(meters: Meters, flow: Flow, version: int) -> list[str]:
    return [
        f'{prefix} : "{counter_name(meter.peer, flow)}"'
        for meter in _ordered(meters)
        for prefix in sorted(meter.prefixes, key=str)
        if prefix.version == version
    ]


def _ordered(meters: Meters) -> list[Meter]:
    return sorted(meters.meters, key=lambda meter: meter.peer)
