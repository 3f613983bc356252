"""Connections come back after the underlay has been away."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-D2")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("window", ["W_glitch", "W_loss"])
def test_a_connection_returns_by_itself_after_the_underlay_does(fresh_lab: Lab, budgets: Budgets, window: str) -> None:
    """After a moment, and after longer than a health check and a lease last."""
    loss = fresh_lab.underlay_lost("east", "west", window)
    assert loss.packets_recovered <= budgets.get("T_recover")
    for cluster in loss.ends:
        assert loss.recovery_reported(cluster) <= budgets.get("T_recover")
