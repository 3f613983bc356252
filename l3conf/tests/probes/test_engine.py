"""Each thing that can happen to a packet on a real path has its own outcome."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from typing import Any

import pytest

from l3conf.errors import LabError
from l3conf.observation import Observation, Outcome, Protocol
from l3conf.probes import packets, wire
from l3conf.probes.engine import Engine
from l3conf.tests.probes.ground import (
    A6,
    B6,
    PATIENCE,
    RIGHT_MTU,
    ROUTER_LEFT,
    ROUTER_LEFT6,
    ROUTER_RIGHT,
    A,
    B,
    duplicate,
    load,
    probe,
    routed_pair,
    run_in,
)
from l3conf.tests.sandbox import sandboxed

SHORT = 0.15
"""Timeout of probes that must run out of time."""
with_protocols = pytest.mark.parametrize("protocol", list(Protocol))
with_families = pytest.mark.parametrize("family", [4, 6])
UDP_HEADERS = 28


@with_families
@with_protocols
@sandboxed
def test_a_probe_comes_back_and_tells_who_answered_whom(protocol: Protocol, family: int) -> None:
    with routed_pair() as ground:
        (seen,) = ground.run(probe(B if family == 4 else B6, protocol=protocol))
        assert seen.outcome is Outcome.DELIVERED, seen
        assert seen.rtt is not None
        if protocol is not Protocol.ICMP:
            assert (seen.responder, seen.seen_as) == ("b", A if family == 4 else A6)
        (sighting,) = ground.engine.sightings("b", [seen.nonce])
        assert sighting.source == (A if family == 4 else A6)
        assert (sighting.place, sighting.protocol) == ("b", protocol)


@sandboxed
def test_all_pairs_in_both_directions_are_delivered_in_the_order_asked() -> None:
    with routed_pair() as ground:
        asked = [
            probe(B if source == "a" else A, source=source, protocol=protocol)
            for _ in range(100)
            for source in ("a", "b")
            for protocol in Protocol
        ]
        seen = ground.run(*asked)
        assert [each.probe for each in seen] == asked
        assert {each.outcome for each in seen} == {Outcome.DELIVERED}
        assert len({each.nonce for each in seen}) == len(asked)


@with_families
@sandboxed
def test_a_closed_port_refuses_and_says_who_did(family: int) -> None:
    with routed_pair() as ground:
        target = B if family == 4 else B6
        udp, tcp = ground.run(probe(target, port=9), probe(target, port=9, protocol=Protocol.TCP))
        assert (udp.outcome, udp.reporter) == (Outcome.REFUSED, target)
        assert tcp.outcome is Outcome.REFUSED


@with_families
@with_protocols
@sandboxed
def test_a_hop_that_exceeds_the_ttl_is_named(protocol: Protocol, family: int) -> None:
    with routed_pair() as ground:
        seen = ground.one(B if family == 4 else B6, protocol=protocol, ttl=1)
        assert seen.outcome is Outcome.TTL_EXCEEDED, seen
        assert seen.reporter == (ROUTER_LEFT if family == 4 else ROUTER_LEFT6)
        assert ground.one(B if family == 4 else B6, protocol=protocol, ttl=2).outcome is Outcome.DELIVERED


@with_families
@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.ICMP])
@sandboxed
def test_too_big_names_the_mtu_first_from_the_router_then_from_the_own_kernel(protocol: Protocol, family: int) -> None:
    with routed_pair() as ground:
        target = B if family == 4 else B6
        big = {"size": RIGHT_MTU, "dont_fragment": True, "protocol": protocol}
        first, second = ground.one(target, **big), ground.one(target, **big)
        assert (first.outcome, first.mtu) == (Outcome.TOO_BIG, RIGHT_MTU), first
        assert first.reporter == (ROUTER_LEFT if family == 4 else ROUTER_LEFT6)
        assert (second.outcome, second.mtu, second.reporter) == (Outcome.TOO_BIG, RIGHT_MTU, None), second
        overhead = UDP_HEADERS if family == 4 else UDP_HEADERS + 20
        fitting = ground.one(target, **{**big, "size": RIGHT_MTU - overhead})
        assert fitting.outcome is Outcome.DELIVERED, fitting


@pytest.mark.parametrize("size", [wire.MIN_SIZE, 512, 1200, RIGHT_MTU, 1600, 8972, 60000])
@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.ICMP])
@sandboxed
def test_without_df_any_size_gets_through_in_fragments(protocol: Protocol, size: int) -> None:
    with routed_pair() as ground:
        seen = ground.one(size=size, protocol=protocol)
        assert seen.outcome is Outcome.DELIVERED, seen


@pytest.mark.parametrize(
    ("size", "write_size"), [(64, 1), (5000, 7), (1 << 16, 1460), (1 << 16, None), (3 << 20, None)]
)
@sandboxed
def test_a_stream_arrives_however_it_is_written(size: int, write_size: int | None) -> None:
    with routed_pair() as ground:
        seen = ground.one(protocol=Protocol.TCP, size=size, write_size=write_size)
        assert seen.outcome is Outcome.DELIVERED, seen


@with_protocols
@sandboxed
def test_an_unreachable_route_on_the_way_is_reported_by_its_router(protocol: Protocol) -> None:
    with routed_pair() as ground:
        run_in(ground.router, "ip route add unreachable 10.0.9.0/24")
        seen = ground.one(ip_address("10.0.9.9"), protocol=protocol)
        assert (seen.outcome, seen.reporter) == (Outcome.UNREACHABLE, ROUTER_LEFT), seen
        assert seen.detail == "host unreachable"


@with_protocols
@sandboxed
def test_an_administrative_refusal_on_the_way_is_unreachable_and_not_silence(protocol: Protocol) -> None:
    with routed_pair() as ground:
        load(ground.router, "filter hook forward priority 0", "reject with icmp admin-prohibited")
        seen = ground.one(protocol=protocol)
        assert (seen.outcome, seen.reporter) == (Outcome.UNREACHABLE, ROUTER_LEFT), seen
        assert seen.detail == "communication administratively prohibited"


@with_protocols
@sandboxed
def test_silence_is_a_timeout_and_the_receiver_saw_nothing(protocol: Protocol) -> None:
    with routed_pair() as ground:
        run_in(ground.router, "ip route add blackhole 10.0.2.2/32")
        seen = ground.one(protocol=protocol, timeout=SHORT)
        assert seen.outcome is Outcome.TIMEOUT, seen
        assert ground.engine.sightings("b", [seen.nonce]) == []


@pytest.mark.parametrize("kind", ["unreachable", "prohibit", "blackhole"])
@with_protocols
@sandboxed
def test_what_the_own_kernel_refuses_to_emit_has_no_route(protocol: Protocol, kind: str) -> None:
    with routed_pair() as ground:
        run_in(ground.a, f"ip route add {kind} 10.0.9.0/24")
        run_in(ground.b, "ip route del default")
        seen = ground.one(ip_address("10.0.9.9"), protocol=protocol)
        without_route = ground.one(A, source="b", protocol=protocol)
        assert (seen.outcome, without_route.outcome) == (Outcome.NO_ROUTE, Outcome.NO_ROUTE), (seen, without_route)


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.TCP])
@sandboxed
def test_a_rewritten_source_is_seen(protocol: Protocol) -> None:
    with routed_pair() as ground:
        load(ground.router, "nat hook postrouting priority srcnat", "masquerade")
        seen = ground.one(protocol=protocol)
        assert (seen.outcome, seen.seen_as) == (Outcome.DELIVERED, ROUTER_RIGHT)


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.ICMP])
@sandboxed
def test_an_answer_from_an_address_that_was_not_asked_does_not_count(protocol: Protocol) -> None:
    with routed_pair() as ground:
        load(ground.router, "filter hook forward priority 0", "ip saddr 10.0.2.2 ip saddr set 10.0.2.77")
        seen = ground.one(protocol=protocol, timeout=SHORT)
        assert seen.outcome is Outcome.TIMEOUT
        assert "10.0.2.77" in seen.detail
        assert len(ground.engine.sightings("b", [seen.nonce])) == 1


@sandboxed
def test_the_server_answers_from_the_address_that_was_asked() -> None:
    with routed_pair() as ground:
        run_in(ground.b, "ip address add 10.0.2.50/24 dev eth0")
        for address in ("10.0.2.50", "10.0.2.2"):
            assert ground.one(ip_address(address)).outcome is Outcome.DELIVERED


@with_families
@sandboxed
def test_a_forged_source_is_seen_by_the_receiver_alone(family: int) -> None:
    with routed_pair() as ground:
        forged = ip_address("10.0.1.200" if family == 4 else "fd00:1::200")
        target = B if family == 4 else B6
        assert ground.one(target).outcome is Outcome.DELIVERED  # now the neighbours know one another
        seen = ground.one(target, forged_source=forged, timeout=SHORT)
        assert seen.outcome is Outcome.TIMEOUT
        (sighting,) = ground.engine.sightings("b", [seen.nonce])
        assert sighting.source == forged


@sandboxed
def test_a_captured_packet_can_be_sent_again() -> None:
    with routed_pair() as ground:
        payload = wire.encode_query(b"replayed", 64)
        packet = packets.udp_packet(ip_address("10.0.1.9"), B, wire.PORT, payload, ttl=None)
        for _ in range(2):
            ground.engine.raw("a", packet)
        ground.one(protocol=Protocol.ICMP)  # went the same way: the packets before it have arrived
        seen = ground.engine.sightings("b", [b"replayed".hex()])
        assert [each.source for each in seen] == [ip_address("10.0.1.9")] * 2


@sandboxed
def test_a_flood_of_errors_blames_only_the_probes_that_caused_them() -> None:
    with routed_pair() as ground:
        run_in(ground.router, "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000")
        run_in(ground.router, "ip route add unreachable 10.0.9.0/24")
        lost = [probe(address) for address in list(IPv4Network("10.0.9.0/24").hosts())[:40]]
        seen = ground.run(*(each for pair in zip(lost, [probe()] * len(lost), strict=True) for each in pair))
        assert {each.outcome for each in seen[1::2]} == {Outcome.DELIVERED}
        assert {each.outcome for each in seen[::2]} <= {Outcome.UNREACHABLE, Outcome.TIMEOUT}
        assert Outcome.UNREACHABLE in {each.outcome for each in seen[::2]}


@sandboxed
def test_a_removed_place_ends_its_probes_as_harness_errors_and_closes_its_ports() -> None:
    with routed_pair() as ground:
        run_in(ground.router, "ip route add blackhole 10.0.2.2/32")
        results: list[Observation] = []
        ground.engine.run([probe(protocol=protocol) for protocol in Protocol], results.extend)
        ground.engine.step(0)
        ground.engine.remove_place("a")
        assert [each.outcome for each in results] == [Outcome.HARNESS_ERROR] * len(Protocol)
        assert ":7100" not in run_in(ground.a, "ss -Hltun")
        ground.engine.add_place("a", duplicate(ground.a), serve=True)
        run_in(ground.router, "ip route del blackhole 10.0.2.2/32")
        assert ground.one().outcome is Outcome.DELIVERED


@sandboxed
def test_a_taken_port_is_the_labs_fault_and_says_so() -> None:
    with routed_pair() as ground:
        with pytest.raises(LabError, match="7100"):
            ground.engine.add_place("again", duplicate(ground.a), serve=True)
        with pytest.raises(LabError, match="already"):
            ground.engine.add_place("a", duplicate(ground.a), serve=False)


@sandboxed
def test_sightings_of_a_place_that_does_not_listen_are_an_error_and_not_nothing() -> None:
    with routed_pair() as ground:
        ground.engine.add_place("deaf", duplicate(ground.router), serve=False)
        for place in ("deaf", "nowhere"):
            with pytest.raises(LabError, match="listens"):
                ground.engine.sightings(place, ["00" * 8])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"source": "nowhere"}, "nowhere"),
        ({"size": 1}, "size 1"),
        ({"size": 65508}, "datagram"),
        ({"port": 0}, "port 0"),
        ({"port": 70000}, "port 70000"),
        ({"ttl": 256}, "ttl 256"),
        ({"timeout": float("nan")}, "timeout nan"),
        ({"again": 0.001}, "again 0.001"),
        ({"again": float("nan")}, "again nan"),
        ({"protocol": Protocol.TCP, "write_size": 0}, "write size"),
        ({"protocol": Protocol.TCP, "forged_source": ip_address("10.0.1.9")}, "forged"),
        ({"forged_source": ip_address("fd00::1")}, "families"),
    ],
)
@sandboxed
def test_an_impossible_probe_is_a_harness_error_that_says_why(fields: dict[str, Any], reason: str) -> None:
    engine = Engine()
    engine.add_place("a", None, serve=False)
    results: list[Observation] = []
    engine.run([probe(**fields)], results.extend)
    engine.step(PATIENCE)
    engine.close()
    (seen,) = results
    assert seen.outcome is Outcome.HARNESS_ERROR
    assert reason in seen.detail


@with_families
@pytest.mark.parametrize("traffic_class", [0b00, 0b01, 0b10, 0b11, 0xB8, 0xBB])
@sandboxed
def test_a_traffic_class_arrives_as_it_was_sent_or_as_it_was_changed_on_the_way(
    traffic_class: int, family: int
) -> None:
    with routed_pair() as ground:
        target = B if family == 4 else B6
        seen = ground.one(target, traffic_class=traffic_class)
        (sighting,) = ground.engine.sightings("b", [seen.nonce])
        assert (seen.outcome, sighting.traffic_class) == (Outcome.DELIVERED, traffic_class)
        load(ground.router, "filter hook forward priority 0", "ip ecn set not-ect")
        seen = ground.one(B, traffic_class=traffic_class)
        (sighting,) = ground.engine.sightings("b", [seen.nonce])
        assert sighting.traffic_class == traffic_class & 0xFC


@pytest.mark.parametrize(("protocol", "traffic_class"), [(Protocol.TCP, 1), (Protocol.ICMP, 1), (Protocol.UDP, 256)])
@sandboxed
def test_only_datagrams_have_a_traffic_class_of_one_octet(protocol: Protocol, traffic_class: int) -> None:
    with routed_pair() as ground:
        seen = ground.one(protocol=protocol, traffic_class=traffic_class)
        assert seen.outcome is Outcome.HARNESS_ERROR
        assert "cannot have traffic class" in seen.detail
