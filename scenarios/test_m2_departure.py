"""A member that leaves is forgotten by those that stay."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-M2")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
@pytest.mark.dismantles
def test_remaining_members_drop_all_state_of_the_leaver(fresh_lab: Lab) -> None:
    """Objects, status, and every route, rule, filter and neighbour that names its ranges."""
    departure = fresh_lab.departed("west")
    assert departure.known != (), "nobody ever knew the leaver"
    assert departure.named != (), "no node ever had state of the leaver"
    fresh_lab.eventually_none(
        "objects of the leaver remain", lambda: fresh_lab.still_known("west"), within="T_leave", since=departure.at
    )
    fresh_lab.eventually_none(
        "nodes still name the leaver",
        lambda: fresh_lab.still_named_on_nodes("west"),
        within="T_leave",
        since=departure.at,
    )
