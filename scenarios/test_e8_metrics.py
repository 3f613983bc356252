"""Metrics say what status says, and count what the wire carried."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-E8")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("member", "peer"), [("east", "west"), ("west", "east")])
def test_counters_of_both_ends_grow_by_what_passes(lab: Lab, member: str, peer: str) -> None:
    """Bytes and packets, sent and received, whatever the cable driver is; and none of them goes down."""
    assert lab.reports.miscounted(member, peer) == []


@verifies("L3-E8")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_metrics_tell_a_lost_connection_from_one_that_works(fresh_lab: Lab) -> None:
    """Either end does, and again when it is healed."""
    reports = fresh_lab.reports
    fresh_lab.eventually_none("not published", lambda: reports.not_published(connected=True), within="T_recover")
    with fresh_lab.cut("east", "west"):
        fresh_lab.eventually_none("not published", lambda: reports.not_published(connected=False), within="T_detect")
    fresh_lab.eventually_none("not published", lambda: reports.not_published(connected=True), within="T_recover")
