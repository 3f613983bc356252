"""One side of a connection may stand behind a NAT."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-I1")
@pytest.mark.topology("nat-one-side")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_although_one_cluster_has_no_public_address(lab: Lab, via: Via) -> None:
    """From every placement, in both directions, unchanged: the NAT is the tunnel's business alone."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()
