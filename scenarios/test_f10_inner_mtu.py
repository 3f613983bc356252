"""What fits beside the tunnel's own bytes fits through the tunnel."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies

LEAST = 1280
"""What every link has to carry over IPv6 (RFC 8200 section 5)."""


@verifies("L3-F10", over_ipv6="L3-G4")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_a_packet_that_the_overhead_leaves_room_for_arrives_whole(lab: Lab, family: IPFamily) -> None:
    """The overhead is that of the cable driver which the Endpoints name."""
    pairs = lab.pods.workers_across(family)
    room = {
        (a, b): lab.underlay_mtu(family, a.site.cluster, b.site.cluster) - lab.cable_overhead(family) for a, b in pairs
    }
    assert family is IPFamily.IPV4 or min(room.values()) >= LEAST
    overhead = lab.udp_overhead(family)
    every(udp(a, b, size=room[a, b] - overhead, dont_fragment=True, family=family) for a, b in pairs).arrives()
