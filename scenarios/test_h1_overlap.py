"""Who comes with ranges that are taken is refused, in so many words, and nobody else suffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies

if TYPE_CHECKING:
    from collections.abc import Mapping

REASON = "OverlappingCIDR"


@verifies("L3-H1")
@pytest.mark.topology("overlapping-newcomers")
@pytest.mark.dismantles
def test_a_newcomer_with_the_range_of_another_is_refused_and_named(fresh_lab: Lab) -> None:
    """It leaves and comes again: both incumbents and itself say why it is not connected, and lose no packet."""
    come_again(fresh_lab, {"c": "a"})


@verifies("L3-H1")
@pytest.mark.topology("nested-prefixes")
@pytest.mark.dismantles
def test_newcomers_with_ranges_inside_and_around_those_of_others_are_refused_and_named(fresh_lab: Lab) -> None:
    """Likewise, with a longer and with a shorter prefix; to the other incumbent these are two remotes that overlap."""
    come_again(fresh_lab, {"c": "b", "d": "a"})


def come_again(lab: Lab, owners: Mapping[str, str]) -> None:
    """Let newcomers leave and join; expect that all name the overlap, and that the incumbents notice nothing else.

    ``owners``: by newcomer, the incumbent whose range it claims.
    """

    def unsaid() -> list[str]:
        incumbents = [line for c in owners for line in lab.not_named(REASON, of=c, by=["a", "b"])]
        return incumbents + [line for c in owners for line in lab.not_named(REASON, of=owners[c], by=[c])]

    a, b = lab.pods.one_in_each("a", "b")
    for newcomer in owners:
        lab.departed(newcomer)
    every([udp(a, b), udp(b, a)]).arrives(within="T_recover")
    with lab.stream([(a, b), (b, a)]) as stream:
        for newcomer in owners:
            lab.returned(newcomer)
        lab.eventually_none("an overlap is not named", unsaid, within="T_refuse")
        stream.goes_on("W_react")
        lab.eventually_none("an overlap is not named any more", unsaid, within="T_refuse")
    stream.loses_nothing()
    assert lab.changed_local_traffic(IPFamily.IPV4) == []
