"""The NAT of one side may give every destination a port of its own."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-I2")
@pytest.mark.topology("nat-port-rewriting")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_whatever_port_the_tunnel_seems_to_come_from(lab: Lab, via: Via) -> None:
    """From every placement, in both directions, unchanged."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()
