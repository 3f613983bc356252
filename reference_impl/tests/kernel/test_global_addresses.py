"""The planned translation in a real kernel, between two clusters with the very same ranges.

::

    pods 10.1.0.2 and .3 ── cni0 10.1.0.1  gateway  cable ───── cable  gateway  10.1.0.1 cni0 ── pods 10.1.0.2 and .3
         east: known as 100.64.1.0/24                (MTU 1300)         west: known as 100.64.2.0/24
"""

from __future__ import annotations

import re
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers import nftables
from reference_impl.drivers.conntrack import forget_stale_flows, forget_translated_flows
from reference_impl.drivers.nftables import Table, run_nft
from reference_impl.names import CABLE_DEVICE, GLOBAL_TABLE
from reference_impl.nft_script import digest
from reference_impl.planner.global_rules import global_ruleset
from reference_impl.planner.ledger import Ledger, gateway_address
from reference_impl.planner.translation import Door, Translation, bindings
from reference_impl.tests.kernel.sandbox import Host, ask_tcp, ask_udp, cable, sandboxed, serve_tcp, serve_udp

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

    from reference_impl.flows import Bindings
    from reference_impl.state import IPAddress, IPNetwork

GATEWAY, PODS = ip_address("10.1.0.1"), (ip_address("10.1.0.2"), ip_address("10.1.0.3"))
POOLS = ip_network("100.64.1.0/24"), ip_network("100.64.2.0/24")
SERVICE, OWN = 8, 9
"""Offsets in each pool: of a Service over both pods, and of the first pod."""
CLUSTER = (2, 3)
CABLE_MTU = 1300
SCTP = 132
EXPORTS, CHANGES = 5000, 40


@dataclass
class Site:
    """One cluster."""

    pool: IPNetwork
    other: IPNetwork
    gateway: Host
    pods: list[Host]

    def at(self, offset: int) -> str:
        return str(self.pool[offset])

    @property
    def cluster(self) -> set[str]:
        """Return as whom pods without an address of their own call."""
        return {self.at(offset) for offset in CLUSTER}

    def translation(self, *, own: bool = True) -> Translation:
        """Return the plan; ``own``: whether the first pod has an address."""
        hosts: dict[IPAddress, IPAddress] = {gateway_address(self.pool): GATEWAY}
        ports = tuple((address, 7000) for address in PODS)
        doors = (Door(address=self.pool[SERVICE], protocol=name, port=80, backends=ports) for name in ("tcp", "udp"))
        return Translation(
            pool=self.pool,
            hosts=hosts | ({self.pool[OWN]: PODS[0]} if own else {}),
            doors=tuple(doors),
            cluster=tuple(self.pool[offset] for offset in CLUSTER),
        )

    def bound(self, translation: Translation) -> Bindings:
        held = {"cluster": CLUSTER, "service": (SERVICE,)}
        if self.pool[OWN] in translation.hosts:
            held["pod"] = (OWN,)
        return bindings(translation, Ledger(pool=self.pool, held=held), [self.other])

    def load(self, translation: Translation | None = None) -> None:
        ruleset = global_ruleset([translation or self.translation()], (CABLE_DEVICE,))

        def inside() -> str:
            Table(GLOBAL_TABLE).load(ruleset)
            return ""

        self.gateway.run(inside)

    def forget(self, translation: Translation) -> int:
        return int(self.gateway.run(lambda: str(forget_stale_flows(self.bound(translation)))))


def build() -> tuple[Site, Site]:
    sites = []
    for name, pool, other in (("east", POOLS[0], POOLS[1]), ("west", POOLS[1], POOLS[0])):
        gateway = Host(f"{name}-gateway")
        gateway.shell(
            f"""sysctl -qw net.ipv4.ip_forward=1 net.ipv4.ping_group_range="0 0"
            ip link add cni0 type bridge; ip addr add {GATEWAY}/24 dev cni0; ip link set cni0 up"""
        )
        pods = [Host(f"{name}-pod{index}") for index in range(len(PODS))]
        for index, (pod, address) in enumerate(zip(pods, PODS, strict=True)):
            cable(gateway, f"pod{index}", pod, "eth0")
            gateway.shell(f"ip link set pod{index} master cni0")
            pod.shell(f"ip addr add {address}/24 dev eth0; ip route add default via {GATEWAY}")
            pod.background(serve_udp)
            pod.background(serve_tcp)
        sites.append(Site(pool, other, gateway, pods))
    east, west = sites
    cable(east.gateway, CABLE_DEVICE, west.gateway, CABLE_DEVICE)
    for site, number in ((east, 1), (west, 2)):
        site.gateway.shell(
            f"""ip addr add 192.0.2.{number}/24 dev {CABLE_DEVICE}; ip link set {CABLE_DEVICE} mtu {CABLE_MTU}
            ip route add {site.other} via 192.0.2.{3 - number}"""
        )
    return east, west


def translating() -> tuple[Site, Site]:
    east, west = build()
    east.load()
    west.load()
    return east, west


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


@sandboxed
def test_the_last_of_thousands_of_exports_is_reached_like_the_first_and_one_more_is_a_small_change() -> None:
    """Without rights outside of its namespace, nft sends no more at once than ``net.core.wmem_default``."""
    east, west = build()
    west.load()
    addresses = [ip_address("100.65.0.8") + number for number in range(EXPORTS)]
    wide = ip_network("100.64.0.0/10")
    hosts = {ip_address("100.66.0.0") + number: ip_address("10.2.0.0") + number for number in range(EXPORTS)}
    doors = tuple(_door(address, number) for number, address in enumerate(addresses))
    plain = east.translation()
    wanted = replace(plain, pool=wide, hosts={**plain.hosts, **hosts}, doors=doors)
    east.load(replace(wanted, doors=doors[:-1]))
    west.gateway.shell(f"ip route add {wide} via 192.0.2.1 metric 9")
    ask = [partial(ask_udp, str(address), 80) for address in (addresses[0], addresses[-1])]
    assert west.pods[0].run(ask[0]) == west.at(OWN)
    assert west.pods[0].run(partial(ask[1], seconds=0.2)) == "timeout"
    ruleset = global_ruleset([wanted], (CABLE_DEVICE,))

    def change() -> str:
        """Count what an agent sends that has just started and adopts what is there."""
        table = Table(GLOBAL_TABLE)
        sent: list[str] = []

        def run(*words: str, script: str = "") -> subprocess.CompletedProcess[str]:
            sent.append(script)
            return run_nft(*words, script=script)

        assert table.digest()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nftables, "run_nft", run)
            table.load(ruleset)
        assert table.digest() == digest(ruleset)
        return f"{len(sent)} {sum(script.count('element') for script in sent)}"

    assert east.gateway.run(change) == "1 1"
    assert [west.pods[0].run(each) for each in ask] == [west.at(OWN)] * 2


@sandboxed
def test_no_packet_is_lost_or_led_astray_while_others_come_and_go_and_chains_edited_by_others_are_mended() -> None:
    east, west = build()
    west.load()
    plain = east.translation()
    table = Table(GLOBAL_TABLE)
    some = {east.pool[20 + number]: ip_address("10.2.0.0") + number for number in range(200)}

    def change() -> str:
        for number in range(CHANGES):
            chosen = dict(list(some.items())[number : 100 + number])
            table.digest()
            table.load(global_ruleset([replace(plain, hosts={**plain.hosts, **chosen})], (CABLE_DEVICE,)))
        return ""

    east.load()
    service = partial(ask_udp, east.at(SERVICE), 80, seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        changing, asked = pool.submit(east.gateway.run, change), 0
        while not changing.done():
            asked += 1
            assert west.pods[0].run(partial(ask_udp, east.at(OWN), seconds=0.3)) == west.at(OWN)
            assert west.pods[0].run(service) == west.at(OWN)
        changing.result()
    assert asked > 1

    def edit() -> str:
        mine = Table(GLOBAL_TABLE)
        mine.load(global_ruleset([plain], (CABLE_DEVICE,)))
        mine.digest()
        chains = re.findall(r"chain (to-udp-\w+)", run_nft("list", "table", "inet", GLOBAL_TABLE).stdout)
        run_nft("-f", "-", script="".join(f"flush chain inet {GLOBAL_TABLE} {name}\n" for name in chains))
        assert (len(chains), mine.digest()) == (1, "")
        mine.load(global_ruleset([plain], (CABLE_DEVICE,)))
        return ""

    east.gateway.run(edit)
    assert west.pods[0].run(service) == west.at(OWN)


def _door(address: IPAddress, number: int) -> Door:
    """Lead the first and the last one to a pod, and each other one elsewhere."""
    backend = PODS[1] if number in {0, EXPORTS - 1} else ip_address("10.3.0.0") + number
    return Door(address=address, protocol="udp", port=80, backends=((backend, 7000),))


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
