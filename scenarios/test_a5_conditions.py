"""Conditions keep the Kubernetes conventions, also while something goes wrong."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-A5")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_conditions_change_their_time_with_their_status_and_never_else(fresh_lab: Lab) -> None:
    """In every version of every object that was seen through an outage and after it."""
    outage = fresh_lab.outage("east", "west")
    for cluster in outage.ends:
        assert outage.stages(cluster, outage.ended_at) != ["", "", ""], f"{cluster} has no conditions"
    assert outage.condition_faults == []


@verifies("L3-A6")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_a_lost_connection_is_still_accepted_and_programmed(fresh_lab: Lab) -> None:
    """Valid, applied and probed are three answers: an outage changes the last one only."""
    outage = fresh_lab.outage("east", "west")
    for cluster in outage.ends:
        assert outage.stages(cluster, outage.cut_at) == ["True", "True", "True"]
        assert outage.stages(cluster, outage.healed_at) == ["True", "True", "False"]
        assert outage.stages(cluster, outage.ended_at) == ["True", "True", "True"]
