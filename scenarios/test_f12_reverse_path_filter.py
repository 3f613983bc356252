"""Traffic survives that somebody sets strict reverse-path filters on the nodes."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, Protocol, Via, across_clusters, needs, verifies

STRICT = 1
"""RFC 3704 section 2.2, as rp_filter spells it. The kernel has no such filter for IPv6."""


@verifies("L3-F12")
@needs(Capability.NODE_FAULTS)
@pytest.mark.topology("two-clusters", "mixed-plugins")
def test_pods_and_services_stay_within_reach_under_strict_filters(fresh_lab: Lab) -> None:
    """On every node at once, set from outside and left so."""
    with fresh_lab.reverse_path_filter(STRICT):
        for via in Via:
            table = across_clusters(fresh_lab.expected(IPFamily.IPV4), via, Protocol.TCP, Protocol.UDP)
            fresh_lab.reachability(table).holds(within="T_recover")
