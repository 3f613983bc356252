"""Clusters with two families are connected in both, and each is told of and fails for itself."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, Protocol, Via, across_clusters, needs, udp, verifies


@verifies("L3-G2")
@pytest.mark.topology("dual-stack")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_pods_and_services_in_either_family(lab: Lab, family: IPFamily, via: Via) -> None:
    """Under their own address of that family."""
    lab.reachability(across_clusters(lab.expected(family), via, Protocol.TCP, Protocol.UDP)).holds()


@verifies("L3-G2")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("dual-stack")
def test_a_family_that_fails_is_reported_alone(fresh_lab: Lab, family: IPFamily) -> None:
    """The other one goes on, and is still said to be connected."""
    east, west = fresh_lab.pods.one_in_each("east", "west")
    (other,) = set(fresh_lab.families) - {family}
    up, one_down = {family: True, other: True}, {family: False, other: True}
    fresh_lab.eventually_none(
        "a family is not said to be connected", lambda: fresh_lab.not_said(up), within="T_recover"
    )
    with fresh_lab.family_blocked("east", "west", family):
        udp(east, west, family=family).must_not_arrive(control=udp(east, west, family=other))
        fresh_lab.eventually_none(
            "families are not told apart", lambda: fresh_lab.not_said(one_down), within="T_detect"
        )
        udp(west, east, family=other).arrives()
    fresh_lab.eventually_none("a family is not said to be back", lambda: fresh_lab.not_said(up), within="T_recover")
