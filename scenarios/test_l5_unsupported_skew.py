"""Versions that do not go together say so, and go on."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-L5")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_an_unsupported_version_is_reported_and_cuts_nothing(fresh_lab: Lab) -> None:
    """One member seems to have gone to a version that nobody knows."""
    pairs = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.stream(pairs) as stream, fresh_lab.posing_as_unheard_of("west"):
        fresh_lab.eventually_none("nobody says it", lambda: fresh_lab.skew_not_said("east", "west"), within="T_detect")
        stream.goes_on("W_react")
    stream.loses_nothing()
