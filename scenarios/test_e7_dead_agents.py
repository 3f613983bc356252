"""The word of a dead agent is worth nothing."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-E7")
@needs(Capability.AGENT_FAULTS)
@pytest.mark.topology("two-clusters")
def test_nobody_can_believe_the_status_of_a_dead_agent_for_long(fresh_lab: Lab, budgets: Budgets) -> None:
    """Its status changes or its last report grows stale, and when it lives again its word counts again."""
    silence = fresh_lab.silenced("east", "west")
    assert silence.connected_before
    assert silence.believed_for <= budgets.get("T_stale")
    assert silence.recovered_after <= budgets.get("T_recover")
