"""A gateway says connected only while packets really go there and back."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-E1")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("source", "destination"), [("east", "west"), ("west", "east")])
def test_connected_rests_on_a_fresh_round_trip(fresh_lab: Lab, budgets: Budgets, source: str, destination: str) -> None:
    """The status time line beside that of independent packets, through an outage of one direction."""
    outage = fresh_lab.outage(source, destination)
    assert [cluster for cluster in outage.ends if not outage.connected_before(cluster)] == []
    assert outage.stale_claims(budgets.get("T_fresh")) == []
