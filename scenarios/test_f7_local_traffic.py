"""What stays inside a cluster, or leaves it for elsewhere, is none of an implementation's business."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, verifies


@verifies("L3-F7", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_local_traffic_of_a_member_is_what_it_was(fresh_lab: Lab, family: IPFamily) -> None:
    """Pod, Service, node and outside: same outcome, same source, as before anything was installed."""
    assert fresh_lab.changed_local_traffic(family) == []


@verifies("L3-F7", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "v6-only")
@pytest.mark.dismantles
def test_local_traffic_is_what_it_was_after_a_member_left(fresh_lab: Lab, family: IPFamily) -> None:
    """In the cluster that left and in the one that stayed."""
    departure = fresh_lab.departed("west")
    fresh_lab.eventually_none(
        "local traffic differs", lambda: fresh_lab.changed_local_traffic(family), within="T_leave", since=departure.at
    )
