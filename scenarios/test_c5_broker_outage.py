"""What is connected does not need the broker."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, verifies


@verifies("L3-C5")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_connected_clusters_stay_connected_while_the_broker_is_away(fresh_lab: Lab) -> None:
    """And while it comes back; no packet is lost, and nobody says that one was."""
    flows = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.watched() as watch, fresh_lab.stream(flows) as stream:
        with fresh_lab.without_broker("east", "west"):
            stream.goes_on("W_away")
        stream.goes_on("W_react")
    stream.loses_nothing()
    assert watch.interruptions("east", "west") == []


@verifies("L3-C5")
@needs(Capability.WAN_FAULTS, Capability.AGENT_FAULTS)
@pytest.mark.topology("two-clusters")
def test_agents_that_start_without_the_broker_work_from_what_was_known(fresh_lab: Lab, budgets: Budgets) -> None:
    """All agents of a member die while the broker is away: packets flow, and status returns."""
    flows = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.stream(flows) as stream, fresh_lab.without_broker("east", "west"):
        restart = fresh_lab.restarted("east", "west")
    stream.loses_nothing()
    assert restart.reported_after <= budgets.get("T_restart")
