"""What stays inside a cluster, or leaves it for elsewhere, is none of an implementation's business."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-F7")
@pytest.mark.topology("two-clusters")
def test_local_traffic_of_a_member_is_what_it_was(fresh_lab: Lab) -> None:
    """Pod, Service, node and outside: same outcome, same source, as before anything was installed."""
    assert fresh_lab.changed_local_traffic() == []


@verifies("L3-F7")
@pytest.mark.topology("two-clusters")
@pytest.mark.dismantles
def test_local_traffic_is_what_it_was_after_a_member_left(fresh_lab: Lab) -> None:
    """In the cluster that left and in the one that stayed."""
    departure = fresh_lab.departed("west")
    fresh_lab.eventually_none(
        "local traffic differs", fresh_lab.changed_local_traffic, within="T_leave", since=departure.at
    )
