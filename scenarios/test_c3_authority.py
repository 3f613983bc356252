"""One Endpoint speaks for a cluster, whatever becomes of its gateways."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-C3")
@needs(Capability.NODE_POWER)
@pytest.mark.topology("two-gateways")
def test_the_endpoint_of_a_dead_gateway_disappears_everywhere(fresh_lab: Lab) -> None:
    """One of another node is there instead, and stays the only one, also when the dead node comes back."""
    gateways = fresh_lab.succession("east")
    fresh_lab.eventually_none("not one Endpoint", gateways.not_alone, within="T_reconcile")
    fresh_lab.idle("W_settle")
    with gateways.crashed() as node:
        fresh_lab.eventually_none("not followed", lambda: gateways.not_followed(node), within="T_failover")
    fresh_lab.idle("W_loss")
    assert gateways.not_alone() == []
    fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")
