"""Reported round-trip times are those that anybody would measure."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Delay, Lab, needs, verifies


@verifies("L3-E5")
@needs(Capability.PATH_QUALITY)
@pytest.mark.topology("two-clusters")
def test_reported_round_trip_times_follow_the_path(fresh_lab: Lab) -> None:
    """One direction is slow for a while; a round trip takes that long from either end."""
    with fresh_lab.fault(Delay(source="east", destination="west", seconds=0.12)):
        fresh_lab.reports.round_trip_times_agree("east", "west")
