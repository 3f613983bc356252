"""A loss that hits one direction only is noticed and reported, and so is its end."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-E2")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("source", "destination"), [("east", "west"), ("west", "east")])
def test_both_ends_report_the_loss_of_one_direction(
    fresh_lab: Lab, budgets: Budgets, source: str, destination: str
) -> None:
    """And report the connection again once it works again."""
    outage = fresh_lab.outage(source, destination)
    for cluster in outage.ends:
        assert outage.connected_before(cluster)
        assert outage.loss_reported(cluster) <= budgets.get("T_detect")
        assert outage.recovery_reported(cluster) <= budgets.get("T_recover")
    assert outage.packets_recovered <= budgets.get("T_recover")
