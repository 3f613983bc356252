"""How meters read as an nft script.

Counters are never replaced: the script adds what is missing, and fills maps and chains anew around the counters that
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
STRANGERS = "strangers"
"""Name of the counter, and chain, of tunnel packets from addresses that are no peer's."""
_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_IP = {4: "ip", 6: "ip6"}
_CHAINS = {
    # After the filters of what comes in: what they drop did not come from the peer.
    Flow.RECEIVED: ("prerouting", "raw + 5", "iifname", "saddr"),
    Flow.SENT: ("postrouting", "mangle", "oifname", "daddr"),
}


def counter_name(peer: str, flow: Flow) -> str:
    """Return the name of a peer's counter. Not its cluster id itself: nft's names are narrower than what peers say."""
    return f"{flow.value}-{hashlib.sha256(peer.encode()).hexdigest()[:24]}"


def mark(meters: Meters) -> str:
    """Return the counter's name that says that these meters were loaded."""
    return f"{MARK}{hashlib.sha256(_body(meters).encode()).hexdigest()[:32]}"


def render(meters: Meters, found: Collection[str] = ()) -> str:
    """Return the nft script that makes the table hold these meters, atomically.

    ``found`` holds the names of the counters that are there; those that are not wanted are deleted.
    """
    table = f"inet {meters.table}"
    wanted = [*_names(meters), STRANGERS, mark(meters)]
    return "".join(
        [
            f"add table {table}\n",
            *(f"add counter {table} {name}\n" for name in wanted),
            _body(meters),
            *(f"delete counter {table} {name}\n" for name in sorted(set(found) - {*wanted})),
        ]
    )


def _names(meters: Meters) -> Iterable[str]:
    return (counter_name(meter.peer, flow) for meter in _ordered(meters) for flow in Flow)


def _body(meters: Meters) -> str:
    lines: list[str] = []
    for flow, (hook, priority, side, field) in _CHAINS.items():
        chain = f"inet {meters.table} {flow.value}"
        lines += [
            f"add chain {chain} {{ type filter hook {hook} priority {priority}; policy accept; }}",
            f"flush chain {chain}",
        ]
        for version, ip in _IP.items():
            name = f"{flow.value}_v{version}"
            where = f"inet {meters.table} {name}"
            lines += [
                f"add map {where} {{ type {_ADDRESS_TYPE[version]} : counter; flags interval; }}",
                f"flush map {where}",
            ]
            elements = _elements(meters, flow, version)
            if elements:
                devices = ", ".join(f'"{device}"' for device in sorted(meters.devices))
                lines += [
                    f"add element {where} {{ {', '.join(elements)} }}",
                    f"add rule {chain} {side} {{ {devices} }} counter name {ip} {field} map @{name}",
                ]
    return "".join(f"{line}\n" for line in [*lines, *_strangers(meters)])


def _strangers(meters: Meters) -> Iterable[str]:
    """Count before any filter drops them."""
    chain = f"inet {meters.table} {STRANGERS}"
    yield f"add chain {chain} {{ type filter hook prerouting priority raw - 5; policy accept; }}"
    yield f"flush chain {chain}"
    for door in sorted(meters.doors, key=lambda door: door.port):
        for version, ip in _IP.items():
            known = ", ".join(sorted(str(peer) for peer in door.peers if peer.version == version))
            if known:
                yield f"add rule {chain} udp dport {door.port} {ip} saddr != {{ {known} }} counter name {STRANGERS}"


def _elements(meters: Meters, flow: Flow, version: int) -> list[str]:
    return [
        f'{prefix} : "{counter_name(meter.peer, flow)}"'
        for meter in _ordered(meters)
        for prefix in sorted(meter.prefixes, key=str)
        if prefix.version == version
    ]


def _ordered(meters: Meters) -> list[Meter]:
    return sorted(meters.meters, key=lambda meter: meter.peer)
