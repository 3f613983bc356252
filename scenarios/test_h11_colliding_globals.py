"""Who would be known by addresses that are taken is refused, in so many words, and nobody else suffers."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Pod, Service, every, udp, verifies

REASON = "OverlappingCIDR"

OWNERS = {"c": "a", "d": "b", "e": "a", "f": "b"}
"""By newcomer, whose its global range is: among pods, in a global range, among nodes, among pods hidden from others."""


@verifies("L3-H11")
@pytest.mark.topology("colliding-globals")
@pytest.mark.dismantles
def test_newcomers_whose_global_ranges_are_taken_are_refused_and_named(fresh_lab: Lab) -> None:
    """All come at once: both incumbents and each itself say why it is not connected, and no packet is lost."""

    def unsaid() -> list[str]:
        incumbents = [line for c in OWNERS for line in fresh_lab.not_named(REASON, of=c, by=["a", "b"])]
        return incumbents + [line for c in OWNERS for line in fresh_lab.not_named(REASON, of=OWNERS[c], by=[c])]

    a, b = fresh_lab.pods.one_in_each("a", "b")
    pairs: list[tuple[Pod, Pod | Service]] = [(a, fresh_lab.global_addresses.service("b")), (b, a)]
    for newcomer in OWNERS:
        fresh_lab.departed(newcomer)
    every(udp(client, server) for client, server in pairs).arrives(within="T_recover")
    with fresh_lab.stream(pairs) as stream:
        for newcomer in OWNERS:
            fresh_lab.returned(newcomer)
        fresh_lab.eventually_none("a collision is not named", unsaid, within="T_refuse")
        stream.goes_on("W_react")
        fresh_lab.eventually_none("a collision is not named any more", unsaid, within="T_refuse")
    stream.loses_nothing()
    assert fresh_lab.changed_local_traffic(IPFamily.IPV4) == []
