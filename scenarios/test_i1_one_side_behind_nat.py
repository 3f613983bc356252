"""One side of a connection may stand behind a NAT."""

from __future__ import annotations

import pytest

from l3conf.testing import (
    Capability,
    IPFamily,
    Lab,
    NATRebinding,
    Protocol,
    Via,
    across_clusters,
    every,
    needs,
    udp,
    verifies,
)


@verifies("L3-I1")
@pytest.mark.topology("nat-one-side")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_although_one_cluster_has_no_public_address(lab: Lab, via: Via) -> None:
    """From every placement, in both directions, unchanged: the NAT is the tunnel's business alone."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()


@verifies("L3-I1")
@needs(Capability.NAT_FAULTS, Capability.WAN_CAPTURE)
@pytest.mark.topology("nat-one-side")
def test_the_gateway_behind_the_nat_calls_and_the_other_answers(fresh_lab: Lab) -> None:
    """On every mapping that is in use, the first packet came from inside: nobody else could know it."""
    pairs = fresh_lab.pods.workers_across(IPFamily.IPV4)
    with fresh_lab.wan.capturing() as wan, fresh_lab.fault(NATRebinding(site="east")):
        every(udp(client, server) for client, server in pairs).arrives(within="T_recover")
        calls, answers = wan.between("east", "west"), wan.between("west", "east")
    mapping = calls[-1].source_port
    called = min(packet.time for packet in calls if packet.source_port == mapping)
    answered = min(packet.time for packet in answers if packet.destination_port == mapping)
    assert called < answered
