"""The path in use is reported: address, translation, cable driver and what fits."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, Outcome, every, needs, udp, verifies

FAMILY = IPFamily.IPV4


@verifies("L3-E6")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("member", "peer"), [("east", "west"), ("west", "east")])
def test_status_names_the_path_that_packets_take(lab: Lab, member: str, peer: str) -> None:
    """Address and driver are read off the packets that pass towards the peer."""
    lab.eventually_none("the path is misreported", lambda: lab.reports.misreported_path(member, peer), within="T_fresh")


@verifies("L3-E6")
@pytest.mark.declared("NATOneSided")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("nat-one-side")
@pytest.mark.parametrize(("member", "peer"), [("east", "west"), ("west", "east")])
def test_status_names_the_path_through_a_nat(lab: Lab, member: str, peer: str) -> None:
    """One end sends to a translated address, the other does not; what was just learnt may be said a moment later."""
    lab.eventually_none("the path is misreported", lambda: lab.reports.misreported_path(member, peer), within="T_fresh")


@verifies("L3-E6")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("member", "peer"), [("east", "west"), ("west", "east")])
def test_the_reported_mtu_is_what_crosses_in_one_piece(lab: Lab, member: str, peer: str) -> None:
    """A packet of that size does, and one byte more is told to be too big."""
    fits, pair = lab.reports.mtu(member, peer) - lab.udp_overhead(FAMILY), lab.pods.one_in_each(member, peer)
    with lab.wan.capturing() as wan:
        every(udp(*pair, size=fits, dont_fragment=True) for _ in range(20)).ends_in(Outcome.DELIVERED)
        assert lab.reports.in_pieces(wan, member, peer) == []
    udp(*pair, size=fits + 1, dont_fragment=True).ends_in(Outcome.TOO_BIG)
