"""What comes back is translated back, in packets and in the packets that errors quote."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Outcome, every, icmp, tcp, udp, verifies

CLOSED_PORT = 7199
LONGEST_PATH = 12


@verifies("L3-H6")
@pytest.mark.topology("identical-ranges")
def test_answers_come_from_the_address_that_was_asked(lab: Lab, family: IPFamily) -> None:
    """Over every protocol and from every placement: who was not asked is not listened to."""
    with lab.global_addresses.of_pods(*lab.pods.of("east")) as servers:
        pairs = lab.pods.towards(*servers)
        asked = [ask(one, other, family=family) for one, other in pairs for ask in (tcp, udp, icmp)]
        every(asked).arrives(within="T_allocate")


@verifies("L3-H6")
@pytest.mark.topology("identical-ranges")
def test_a_closed_port_is_reported_as_of_the_global_address(lab: Lab, family: IPFamily) -> None:
    """The error quotes what the sender sent, else no sender would know that it is meant."""
    with lab.global_addresses.of_pods(*lab.pods.of("east")) as servers:
        pairs = lab.pods.towards(*servers)
        refused = every(udp(one, other, port=CLOSED_PORT, family=family) for one, other in pairs)
        seen = refused.is_refused(within="T_allocate")
    assert [one.reporter for one in seen] == [server.address(family) for _, server in pairs]


@verifies("L3-H6")
@pytest.mark.topology("identical-ranges")
def test_every_hop_on_either_side_of_a_translation_reports_an_expired_packet(lab: Lab, family: IPFamily) -> None:
    """As traceroute sees it: one answer per hop, up to the pod itself."""
    client, server = lab.pods.one_in_each("west", "east")
    with lab.global_addresses.of_pods(server) as (reached,):
        icmp(client, reached, family=family).arrives(within="T_allocate")
        hops = every(icmp(client, reached, ttl=ttl, family=family) for ttl in range(1, LONGEST_PATH))
        outcomes = [one.outcome for one in hops.ends_in(Outcome.TTL_EXCEEDED, Outcome.DELIVERED)]
    distance = outcomes.index(Outcome.DELIVERED)
    assert distance > 1
    assert set(outcomes[:distance]) == {Outcome.TTL_EXCEEDED}


@verifies("L3-H6")
@pytest.mark.topology("identical-ranges")
def test_a_packet_too_big_for_the_path_is_reported_to_the_sender(lab: Lab, family: IPFamily) -> None:
    """With DF set, a packet as large as the underlay's either fits or its sender is told what does."""
    client, server = lab.pods.one_in_each("west", "east")
    largest = lab.underlay_mtu(family) - lab.udp_overhead(family)
    with lab.global_addresses.of_pods(server) as (reached,):
        udp(client, reached, family=family).arrives(within="T_allocate")
        sent = every([udp(client, reached, size=largest, dont_fragment=True, family=family)])
        (seen,) = sent.ends_in(Outcome.TOO_BIG, Outcome.DELIVERED)
    assert seen.outcome is Outcome.DELIVERED or 0 < (seen.mtu or 0) < lab.underlay_mtu(family)
