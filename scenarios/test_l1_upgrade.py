"""Members go to the next version, and back, under traffic that does not notice."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies

ORDERS = (("broker", "east", "west"), ("west", "broker", "east"), ("east", "west", "broker"))
"""The broker first, between and last; either end first."""


@verifies("L3-L1")
@verifies("L3-L2")
@verifies("L3-L7")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_an_upgrade_loses_no_packet_and_ends_at_the_version(earlier_lab: Lab, order: tuple[str, ...]) -> None:
    """One after the other, so that both versions talk to each other on the way; old flows and new ones run through."""
    earlier_lab.brought_to(earlier_lab.last_version, *order)
    pairs = earlier_lab.pods.workers_across(earlier_lab.families[0])
    with earlier_lab.stream(pairs) as old, earlier_lab.stream(pairs, fresh=True) as new:
        earlier_lab.brought_to(earlier_lab.this_version, *order)
        earlier_lab.eventually_none("members do not agree", earlier_lab.not_agreed, within="T_recover")
        old.goes_on("W_flow")
    old.loses_nothing()
    new.loses_nothing()


@verifies("L3-L3")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("order", ORDERS[:2], ids=" ".join)
def test_the_way_back_loses_no_packet_either(earlier_lab: Lab, order: tuple[str, ...]) -> None:
    """To the version before, as whoever regrets an upgrade does."""
    earlier_lab.brought_to(earlier_lab.this_version, *order)
    pairs = earlier_lab.pods.workers_across(earlier_lab.families[0])
    with earlier_lab.stream(pairs) as old, earlier_lab.stream(pairs, fresh=True) as new:
        earlier_lab.brought_to(earlier_lab.last_version, *order)
        earlier_lab.eventually_none("members do not agree", earlier_lab.not_agreed, within="T_recover")
        old.goes_on("W_flow")
    old.loses_nothing()
    new.loses_nothing()
