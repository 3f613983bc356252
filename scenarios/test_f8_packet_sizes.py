"""Packets of every size arrive or their sender is told; nothing disappears."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Outcome, every, tcp, udp, verifies

FAMILY = IPFamily.IPV4
WRITES = (1, 100, 1400, 9000, 65536)
SMALL, JUMBO = (24, 512, 1200), 8972
"""Bytes of UDP payload; a probe's own header is 24 bytes long."""


@verifies("L3-F8")
@pytest.mark.topology("two-clusters")
def test_tcp_arrives_intact_in_writes_of_every_size(lab: Lab) -> None:
    """From single bytes to 64 KiB at once."""
    pairs = lab.pods.workers_across(FAMILY)
    every(
        tcp(client, server, size=max(256, write), write_size=write) for client, server in pairs for write in WRITES
    ).arrives()


@verifies("L3-F8")
@pytest.mark.topology("two-clusters")
def test_udp_of_every_size_arrives_intact_where_it_may_be_fragmented(lab: Lab) -> None:
    """A ladder around the underlay's MTU, and a jumbo frame's worth."""
    sizes = (*SMALL, *ladder(lab), JUMBO)
    every(udp(a, b, size=size) for a, b in lab.pods.workers_across(FAMILY) for size in sizes).arrives()


@verifies("L3-F8")
@pytest.mark.topology("two-clusters")
def test_udp_that_may_not_be_fragmented_arrives_or_is_reported_too_big(lab: Lab) -> None:
    """And the size that the report names does arrive: no black hole between the two."""
    sizes = (*SMALL, *ladder(lab))
    for client, server in lab.pods.workers_across(FAMILY):
        sent = every(udp(client, server, size=size, dont_fragment=True) for size in sizes)
        seen = sent.ends_in(Outcome.DELIVERED, Outcome.TOO_BIG)
        told = [one.mtu for one in seen if one.mtu is not None]
        fits = min(told, default=lab.underlay_mtu(FAMILY)) - lab.udp_overhead(FAMILY)
        assert [one.probe.size for one in seen if one.outcome is Outcome.TOO_BIG and one.probe.size <= fits] == []
        udp(client, server, size=fits, dont_fragment=True).arrives()


def ladder(lab: Lab) -> list[int]:
    """Return payloads of packets from 40 bytes below the underlay's MTU to 100 above."""
    mtu = lab.underlay_mtu(FAMILY)
    return [size - lab.udp_overhead(FAMILY) for size in range(mtu - 40, mtu + 101, 20)]
