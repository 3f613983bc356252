"""SCTP passes between clusters where it passes inside them."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, Protocol, Via, across_clusters, needs, verifies


@verifies("L3-F4", over_ipv6="L3-G1")
@needs(Capability.SCTP)
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_pods_reach_pods_over_sctp(lab: Lab, family: IPFamily) -> None:
    """An association and a message each way, from every placement, seen as the pod that called."""
    lab.must_be_carried_locally(Protocol.SCTP, family)
    lab.reachability(across_clusters(lab.expected(family), Via.POD, Protocol.SCTP)).holds()
