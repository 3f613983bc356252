"""The planned translation in a real kernel, between two clusters with the very same ranges."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

from reference_impl.drivers.conntrack import forget_stale_flows, forget_translated_flows
from reference_impl.flows import suspects
from reference_impl.planner.ledger import Ledger
from reference_impl.planner.translation import bindings
from reference_impl.tests.kernel.global_sites import CABLE_MTU, GATEWAY, OWN, PODS, SERVICE, build, translating
from reference_impl.tests.kernel.sandbox import Host, ask_tcp, ask_udp, cable, sandboxed, serve_tcp, serve_udp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.flows import Bindings

SCTP = 132


@sandboxed
def test_a_pod_is_reached_at_its_global_address_and_sees_those_who_call_as_what_they_are_known_by() -> None:
    for here, there in (pair := translating()), pair[::-1]:
        known_as = ({here.at(OWN)}, here.cluster)
        for client, wanted in zip(here.pods, known_as, strict=True):
            for ask in (ask_udp, ask_tcp):
                assert client.run(partial(ask, there.at(OWN))).split()[0] in wanted
            client.shell(f"ping -c1 -W1 {there.at(OWN)}; ping -c1 -W1 {there.at(1)}")
        assert here.pods[0].run(partial(ask_udp, str(PODS[1]))) == str(PODS[0])


@sandboxed
def test_a_service_is_answered_at_its_global_address_by_each_of_its_pods_and_by_no_local_one() -> None:
    east, west = translating()
    received = [[_datagrams(pod) for pod in site.pods] for site in (east, west)]
    for _ in range(24):
        assert west.pods[1].run(partial(ask_udp, east.at(SERVICE), 80)) in west.cluster
    assert west.pods[1].run(partial(ask_tcp, east.at(SERVICE), 80)).split()[0] in west.cluster
    (one, two), (decoy, caller) = [
        [_datagrams(pod) - before for pod, before in zip(site.pods, then, strict=True)]
        for site, then in zip((east, west), received, strict=True)
    ]
    assert (one + two, decoy, caller) == (24, 0, 24)
    assert min(one, two) > 0


@sandboxed
def test_icmp_errors_are_translated_with_what_they_quote_in_both_directions() -> None:
    for here, there in (pair := translating()), pair[::-1]:
        for client in here.pods:
            assert client.run(partial(ask_udp, there.at(OWN), 7001)) == "Connection refused"
            assert "Connection refused" in client.run(partial(ask_tcp, there.at(OWN), 7001))
            # Connection tracking translates the reporter as well: behind the translation all hops are the destination.
            for ttl, reporter in ((1, str(GATEWAY)), (2, there.at(OWN)), (3, there.at(OWN))):
                answer = client.shell(f"ping -c1 -W1 -t{ttl} {there.at(OWN)} 2>&1 || true")
                assert ("Time to live exceeded" in answer) is (ttl < 3)
                assert f"rom {reporter}" in answer
            assert f"mtu = {CABLE_MTU}" in client.shell(f"ping -c1 -W1 -Mdo -s1400 {there.at(OWN)} 2>&1 || true")
            size = 1 << 18
            assert client.run(partial(ask_tcp, there.at(OWN), payload=bytes(size))).endswith(f" {size}")


@sandboxed
def test_datagrams_change_over_to_a_new_address_and_connections_keep_theirs_as_long_as_it_is_held() -> None:
    east, west = build()
    east.load()
    bare = west.translation(own=False)
    west.load(bare)
    client, target = west.pods[0], east.at(OWN)
    ask = partial(ask_udp, target, source_port=5555)
    assert client.run(ask) in west.cluster
    client.background(partial(_hold, target))
    east.pods[0].shell("for i in $(seq 100); do grep -q ':1B58 .* 01' /proc/net/tcp && exit; sleep 0.05; done; exit 1")
    assert west.forget(bare) == 0

    west.load()
    assert client.run(ask) in west.cluster
    assert west.forget(west.translation()) == 1
    assert client.run(ask) == west.at(OWN)
    assert west.forget(west.translation()) == 0

    west.load(bare)
    assert client.run(ask) == west.at(OWN)
    assert west.forget(bare) == 1
    assert client.run(ask) in west.cluster
    gone = replace(bare, cluster=())
    west.load(gone)
    held = Ledger(pool=west.pool, held={"service": (SERVICE,)})
    nobody = bindings(gone, held, [west.other])
    # The held connection as well: its address is nobody's now.
    assert int(west.gateway.run(lambda: str(forget_stale_flows(nobody)))) >= 2
    assert client.run(partial(ask, seconds=0.2)) == "timeout"


@sandboxed
def test_flows_that_began_before_their_translation_begin_anew() -> None:
    east, west = build()
    west.load()
    client = west.pods[0]
    ask = partial(ask_udp, east.at(OWN), source_port=5555)
    assert client.run(partial(ask, seconds=0.2)) in {"timeout", "No route to host"}
    east.load()
    east.forget(east.translation())
    assert client.run(ask) == west.at(OWN)


@sandboxed
def test_a_flow_that_began_before_its_translation_ends_when_the_other_member_comes_to_be_known() -> None:
    """The route may be there before whoever translates has heard of the member; the first look passes the flow over."""
    east, west = build()
    east.load()
    # Every node translates something: with that, a flow's source is settled by its first packet.
    rule = "type nat hook postrouting priority srcnat; ip daddr 192.0.2.99 masquerade;"
    west.gateway.shell(f"nft 'table ip plugin {{ chain source {{ {rule} }}; }}'")
    client, plan = west.pods[0], west.translation()
    ask = partial(ask_udp, east.at(OWN), source_port=5555)
    assert client.run(partial(ask, seconds=0.2)) == "timeout"
    west.load()
    both = west.bound(plan)
    alone = replace(both, remote=frozenset())

    def look(before: Bindings | None, now: Bindings) -> int:
        return int(west.gateway.run(lambda: str(forget_stale_flows(now, suspects(before, now)))))

    assert look(None, alone) == 0
    assert client.run(partial(ask, seconds=0.2)) == "timeout"
    assert look(alone, both) == 1
    assert client.run(ask) == west.at(OWN)
    assert look(both, both) == 0


@sandboxed
def test_sctp_and_icmp_are_forgotten_like_the_others() -> None:
    east, west = translating()
    client, bare = west.pods[0], west.translation(own=False)
    client.shell(f"ping -c1 -W1 {east.at(OWN)}")
    client.run(partial(_begin_sctp, east.at(OWN)))
    flows = west.gateway.shell("cat /proc/net/nf_conntrack 2>/dev/null || true")
    assert not flows or "sctp" in flows
    west.load(bare)
    assert west.forget(bare) == 2
    client.run(partial(_begin_sctp, east.at(OWN)))
    assert int(west.gateway.run(lambda: str(forget_translated_flows([west.other])))) == 1


@sandboxed
def test_a_host_outside_that_knows_no_way_to_other_clusters_is_reached_and_sees_the_gateway() -> None:
    east, west = build()
    west.load()
    machine, address = Host("machine"), ip_address("192.168.7.5")
    cable(east.gateway, "lan0", machine, "eth0")
    east.gateway.shell("ip addr add 192.168.7.1/24 dev lan0")
    machine.shell(
        f"""ip addr add {address}/24 dev eth0; ip route add default via 192.168.7.9
        ip neigh add 192.168.7.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent"""
    )
    machine.background(serve_udp)
    machine.background(serve_tcp)
    known = east.pool[OWN + 1]
    plain = east.translation()
    plain = replace(plain, hosts={**plain.hosts, known: address})
    ask = partial(ask_udp, str(known))
    east.load(plain)
    assert west.pods[0].run(partial(ask, seconds=0.2)) == "timeout"
    east.load(replace(plain, strangers=frozenset({address})))
    assert west.pods[0].run(partial(ask, source_port=5555)) == "192.168.7.1"
    assert west.pods[1].run(partial(ask_tcp, str(known))).split()[0] == "192.168.7.1"
    assert west.pods[0].run(partial(ask_udp, east.at(OWN))) == west.at(OWN)


def _datagrams(pod: Host) -> int:
    snmp = [line.split() for line in pod.shell("cat /proc/net/snmp").splitlines() if line[:4] == "Udp:"]
    return int(snmp[1][snmp[0].index("InDatagrams")])


def _hold(address: str) -> None:
    """Keep a connection open."""
    with socket.create_connection((address, 7000)) as client:
        client.recv(1)


def _begin_sctp(address: str) -> str:
    """Send what an association begins with; nobody answers."""
    init = struct.pack("!BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
    ports = struct.pack("!HHI", 5555, 7000, 0)
    checksum = struct.pack("<I", _crc32c(ports + bytes(4) + init))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP) as sender:
        sender.sendto(ports + checksum + init, (address, 0))
    return "sent"


def _crc32c(data: Iterable[int]) -> int:
    """RFC 9260, appendix A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
