"""ICMP works across clusters: echo, and the errors that tell a sender what went wrong."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Outcome, Protocol, Via, across_clusters, every, icmp, udp, verifies

CLOSED_PORT = 7199
LONGEST_PATH = 10


@verifies("L3-F3", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_pods_ping_pods_across_clusters(lab: Lab, family: IPFamily) -> None:
    """From every placement."""
    lab.reachability(across_clusters(lab.expected(family), Via.POD, Protocol.ICMP)).holds()


@verifies("L3-F3", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_a_closed_port_is_reported_to_the_sender(lab: Lab, family: IPFamily) -> None:
    """The remote pod's own port unreachable, not silence."""
    refused = every(udp(a, b, port=CLOSED_PORT, family=family) for a, b in lab.pods.workers_across(family)).is_refused()
    assert [seen.reporter for seen in refused] == [b.address(family) for _, b in lab.pods.workers_across(family)]


@verifies("L3-F3", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_every_hop_reports_an_expired_packet(lab: Lab, family: IPFamily) -> None:
    """As traceroute sees it: one answer per hop, up to the pod itself."""
    for client, server in lab.pods.workers_across(family):
        hops = [icmp(client, server, ttl=ttl, family=family) for ttl in range(1, LONGEST_PATH)]
        seen = every(hops).ends_in(Outcome.TTL_EXCEEDED, Outcome.DELIVERED)
        outcomes = [one.outcome for one in seen]
        distance = outcomes.index(Outcome.DELIVERED)
        assert distance > 1
        assert set(outcomes[:distance]) == {Outcome.TTL_EXCEEDED}


@verifies("L3-F3", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_a_packet_too_big_for_the_path_is_reported_to_the_sender(lab: Lab, family: IPFamily) -> None:
    """With DF set, a packet as large as the pod's own link either fits or its sender is told what does."""
    pairs, headers = lab.pods.workers_across(family), lab.udp_overhead(family)
    links = [lab.underlay_mtu(family, a.site.cluster) for a, _ in pairs]
    sent = [
        udp(a, b, size=link - headers, dont_fragment=True, family=family)
        for (a, b), link in zip(pairs, links, strict=True)
    ]
    for seen, link in zip(every(sent).ends_in(Outcome.TOO_BIG, Outcome.DELIVERED), links, strict=True):
        assert seen.outcome is Outcome.DELIVERED or 0 < (seen.mtu or 0) < link
