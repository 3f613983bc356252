"""Which technology carries packets from one site to another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.technologies import RECOGNISED, technology_of
from l3conf.expectations.traffic import Traffic
from l3conf.observation import Outcome
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from l3conf.capture.packets import Packet
    from l3conf.expectations.harness import Harness

    Pair = tuple[str, str]
    Passed = Callable[[Pair], Sequence[Packet]]
    """Returns the large packets that have passed so far from one site to another."""

LARGE = 1000
"""Bytes; neither health checks nor key exchanges send as much, and it fits every tunnel (IPv6: 1280)."""


def sized(traffic: Traffic) -> Traffic:
    """Return the same flows with payloads that are larger than anything else that passes between sites."""
    return Traffic(tuple(replace(flow, size=LARGE) for flow in traffic.flows))


def expect(
    harness: Harness, traffic: Traffic, pairs: Collection[Pair], *, over: str, passed: Passed, within: str
) -> None:
    """Expect all flows to be answered, and what passes for them to be tunnels of the cable driver ``over`` alone.

    Each look sends all flows and judges the large packets that pass from then on: what was sent before a change
    may have gone another way. ``LabError`` if the suite does not know how that driver's packets look.
    """
    if over not in RECOGNISED:
        raise LabError(f"no packet of the cable driver {over!r} can be told from others", where="wan")
    large = sized(traffic)

    def look() -> str | Pending:
        before = {pair: len(passed(pair)) for pair in pairs}
        seen = harness.send([flow.question(harness.budgets.get("T_probe")) for flow in large.flows])
        lost = [one for one in seen if one.outcome is not Outcome.DELIVERED]
        wrong = strange({pair: passed(pair)[before[pair] :] for pair in pairs}, over)
        if lost:
            wrong.append(f"{len(lost)} of {len(large.flows)} flows were not answered")
        return Pending("\n".join(wrong)) if wrong else over

    harness.wait(f"{large} is carried by {over}", look, within)


def strange(passed: Mapping[Pair, Sequence[Packet]], over: str) -> list[str]:
    """Return a line for each pair of sites between which nothing passed, or anything but tunnels of a driver. Pure."""
    lines = []
    for (source, destination), packets in sorted(passed.items()):
        kinds = Counter(technology_of(packet) or "unknown" for packet in packets)
        if set(kinds) != {over}:
            seen = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items())) or "no packet"
            lines.append(f"{source} -> {destination}: {seen}, not {over}")
    return lines
