"""Who comes with ranges that are taken is refused, in so many words, and nobody else suffers."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies

REASON = "OverlappingCIDR"


@verifies("L3-H1")
@pytest.mark.topology("overlapping-newcomers")
@pytest.mark.dismantles
def test_a_newcomer_with_the_range_of_another_is_refused_and_named(fresh_lab: Lab) -> None:
    """It leaves and comes again: both incumbents and itself say why it is not connected, and lose no packet."""
    comes_again(fresh_lab, "c", owner="a")


@verifies("L3-H1")
@pytest.mark.topology("nested-prefixes")
@pytest.mark.dismantles
@pytest.mark.parametrize(("newcomer", "owner"), [("c", "b"), ("d", "a")], ids=["a longer prefix", "a shorter prefix"])
def test_a_newcomer_with_a_range_inside_or_around_anothers_is_refused_and_named(
    fresh_lab: Lab, newcomer: str, owner: str
) -> None:
    """Likewise; to the other incumbent these are two remotes, and it says so, too."""
    comes_again(fresh_lab, newcomer, owner=owner)


def comes_again(lab: Lab, newcomer: str, *, owner: str) -> None:
    """Let a newcomer leave and join; expect that all name the overlap, and that the incumbents notice nothing else."""

    def unsaid() -> list[str]:
        return lab.not_named(REASON, of=newcomer, by=["a", "b"]) + lab.not_named(REASON, of=owner, by=[newcomer])

    a, b = lab.pods.one_in_each("a", "b")
    lab.departed(newcomer)
    every([udp(a, b), udp(b, a)]).arrives(within="T_recover")
    with lab.stream([(a, b), (b, a)]) as stream:
        lab.returned(newcomer)
        lab.eventually_none("the overlap is not named", unsaid, within="T_refuse")
        stream.goes_on("W_react")
        lab.eventually_none("the overlap is not named any more", unsaid, within="T_refuse")
    stream.loses_nothing()
    assert lab.changed_local_traffic(IPFamily.IPV4) == []
