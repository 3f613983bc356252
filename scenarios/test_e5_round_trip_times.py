"""Reported round-trip times are those that anybody would measure."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Delay, Lab, needs, verifies


@verifies("L3-E5")
@needs(Capability.PATH_QUALITY)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("delay", [0.12, 0.05])
def test_reported_round_trip_times_follow_the_path(fresh_lab: Lab, delay: float) -> None:
    """One direction is slow for a while; a round trip takes that long from either end."""
    with fresh_lab.fault(Delay(source="east", destination="west", seconds=delay)):
        fresh_lab.reports.round_trip_times_agree("east", "west")
