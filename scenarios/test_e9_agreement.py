"""Both ends of a connection tell the same story."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-E9")
@pytest.mark.topology("two-clusters")
def test_both_ends_name_each_other_and_are_connected(lab: Lab) -> None:
    """Each means the gateway that is active at the other end."""
    lab.eventually_none("ends do not agree", lab.not_agreed, within="T_join")


@verifies("L3-E9")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("source", "destination"), [("east", "west"), ("west", "east")])
def test_both_ends_agree_again_soon_after_every_change(
    fresh_lab: Lab, budgets: Budgets, source: str, destination: str
) -> None:
    """When one direction is lost neither end stays connected, and when it is back both are."""
    outage = fresh_lab.outage(source, destination)
    assert outage.disagreement <= budgets.get("T_detect")
