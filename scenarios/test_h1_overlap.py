"""Who comes with ranges that are taken is refused, in so many words, and nobody else suffers."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies

REASON = "OverlappingCIDR"


@verifies("L3-H1")
@pytest.mark.topology("overlapping-newcomers")
@pytest.mark.dismantles
@pytest.mark.parametrize(("newcomer", "owner"), [("c", "a"), ("d", "b")], ids=["the same range", "a range inside"])
def test_a_newcomer_that_overlaps_is_refused_and_named(fresh_lab: Lab, newcomer: str, owner: str) -> None:
    """It leaves and comes again: both incumbents and itself say why it is not connected, and lose no packet."""

    def unsaid() -> list[str]:
        incumbents = fresh_lab.not_named(REASON, of=newcomer, by=["a", "b"])
        return incumbents + fresh_lab.not_named(REASON, of=owner, by=[newcomer])

    a, b = fresh_lab.pods.one_in_each("a", "b")
    fresh_lab.departed(newcomer)
    every([udp(a, b), udp(b, a)]).arrives(within="T_recover")
    with fresh_lab.stream([(a, b), (b, a)]) as stream:
        fresh_lab.returned(newcomer)
        fresh_lab.eventually_none("the overlap is not named", unsaid, within="T_refuse")
        stream.goes_on("W_react")
        fresh_lab.eventually_none("the overlap is not named any more", unsaid, within="T_refuse")
    stream.loses_nothing()
    assert fresh_lab.changed_local_traffic(IPFamily.IPV4) == []
