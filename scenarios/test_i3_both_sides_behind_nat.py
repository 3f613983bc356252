"""Both sides may stand behind NATs with port maps, and several clusters behind one address."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-I3")
@pytest.mark.topology("nat-both-static")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_by_port_maps_on_both_sides(lab: Lab, via: Via) -> None:
    """Neither gateway has an address that the other can route to."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()


@verifies("L3-I3")
@pytest.mark.topology("shared-address")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_although_two_clusters_share_an_address(lab: Lab, via: Via) -> None:
    """The two, with each other and with a third that tells them apart by their ports."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()
