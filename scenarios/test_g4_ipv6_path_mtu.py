"""Over IPv6 the least size of all links passes, and "too big" means what RFC 8201 says."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Outcome, every, icmp, udp, verifies

FAMILY = IPFamily.IPV6
LEAST = 1280


@verifies("L3-G4")
@pytest.mark.topology("v6-only")
def test_packets_of_the_least_size_pass_whole(lab: Lab) -> None:
    """Between pods of every placement."""
    size = LEAST - lab.udp_overhead(FAMILY)
    every(
        udp(a, b, size=size, dont_fragment=True, family=FAMILY) for a, b in lab.pods.across_clusters(FAMILY)
    ).arrives()


@verifies("L3-G4")
@pytest.mark.topology("v6-only")
def test_what_is_too_big_is_told_so_and_what_was_told_arrives(lab: Lab) -> None:
    """The size in the message is no less than 1280, and is true."""
    pairs, headers = lab.pods.workers_across(FAMILY), lab.udp_overhead(FAMILY)
    links = [lab.underlay_mtu(FAMILY, a.site.cluster) for a, _ in pairs]
    told = every(
        udp(a, b, size=link - headers, dont_fragment=True, family=FAMILY)
        for (a, b), link in zip(pairs, links, strict=True)
    ).ends_in(Outcome.TOO_BIG)
    for (a, b), link, seen in zip(pairs, links, told, strict=True):
        assert seen.mtu is not None
        assert LEAST <= seen.mtu < link
        udp(a, b, size=seen.mtu - headers, dont_fragment=True, family=FAMILY).arrives()


@verifies("L3-G4")
@pytest.mark.topology("v6-only")
def test_nodes_find_their_neighbours_anew(lab: Lab) -> None:
    """What they knew of each other and of their router is forgotten first."""
    lab.forget_neighbours()
    inside = [(a, b) for a in lab.nodes for b in lab.nodes if a != b and a.site.cluster == b.site.cluster]
    every(icmp(a, b, family=FAMILY) for a, b in inside).arrives()
    every(icmp(node, lab.outsider, family=FAMILY) for node in lab.nodes).arrives()
