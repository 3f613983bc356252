"""Packets of every size arrive or their sender is told; nothing disappears."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Outcome, Pod, every, tcp, udp, verifies

WRITES = (1, 100, 1400, 9000, 65536)
SMALL, JUMBO = (24, 512, 1200), 8972
"""Bytes of UDP payload; a probe's own header is 24 bytes long."""


@verifies("L3-F8", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "small-mtu", "v6-only")
def test_tcp_arrives_intact_in_writes_of_every_size(lab: Lab, family: IPFamily) -> None:
    """From single bytes to 64 KiB at once."""
    pairs = lab.pods.workers_across(family)
    every(
        tcp(client, server, size=max(256, write), write_size=write, family=family)
        for client, server in pairs
        for write in WRITES
    ).arrives()


@verifies("L3-F8", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "small-mtu", "v6-only")
def test_udp_of_every_size_arrives_intact_where_it_may_be_fragmented(lab: Lab, family: IPFamily) -> None:
    """A ladder around the underlay's MTU, and a jumbo frame's worth."""
    every(
        udp(a, b, size=size, family=family)
        for a, b in lab.pods.workers_across(family)
        for size in (*SMALL, *ladder(lab, family, a), JUMBO)
    ).arrives()


@verifies("L3-F8", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "small-mtu", "v6-only")
def test_udp_that_may_not_be_fragmented_arrives_or_is_reported_too_big(lab: Lab, family: IPFamily) -> None:
    """And the size that the reports come down to does arrive: no black hole below it. Each small link may speak up."""
    headers = lab.udp_overhead(family)
    for client, server in lab.pods.workers_across(family):
        sizes = (*SMALL, *ladder(lab, family, client))
        sent = every(udp(client, server, size=size, dont_fragment=True, family=family) for size in sizes)
        seen = list(sent.ends_in(Outcome.DELIVERED, Outcome.TOO_BIG))
        fits = lab.underlay_mtu(family, client.site.cluster)
        while told := [one.mtu for one in seen if one.mtu is not None and one.mtu < fits]:
            fits = min(told)
            sent = udp(client, server, size=fits - headers, dont_fragment=True, family=family)
            seen += sent.ends_in(Outcome.DELIVERED, Outcome.TOO_BIG)
        assert [one for one in seen if one.outcome is Outcome.TOO_BIG and one.probe.size + headers <= fits] == []


def ladder(lab: Lab, family: IPFamily, client: Pod) -> list[int]:
    """Return payloads of packets from 120 bytes below the underlay's MTU, more than any cable takes, to 100 above."""
    mtu = lab.underlay_mtu(family, client.site.cluster)
    return [size - lab.udp_overhead(family) for size in range(mtu - 120, mtu + 101, 20)]
