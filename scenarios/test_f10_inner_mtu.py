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
    room = lab.underlay_mtu(family) - lab.cable_overhead(family)
    assert family is IPFamily.IPV4 or room >= LEAST
    size = room - lab.udp_overhead(family)
    every(udp(a, b, size=size, dont_fragment=True, family=family) for a, b in lab.pods.workers_across(family)).arrives()
