"""Status claims nothing before it is true, and denies nothing that is."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-E3")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_nothing_is_connected_before_a_packet_can_go_there_and_back(fresh_lab: Lab, budgets: Budgets) -> None:
    """A member joins while one direction is cut; both ends say connected only after it was healed."""
    formation = fresh_lab.formed_again("west", cut=("east", "west"))
    assert formation.early_claims == []
    for pair in formation.pairs:
        assert formation.connected_after(pair, formation.possible_at) <= budgets.get("T_recover"), pair
