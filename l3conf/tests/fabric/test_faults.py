"""Each fault has its effect on real packets, measured, and leaves everything as it was."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import struct
import subprocess
import time
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.fabric import faults as rules
from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.inflict import Faults
from l3conf.errors import LabError
from l3conf.model.faults import (
    AddressChange,
    Cut,
    Delay,
    LinkDown,
    Loss,
    NATRebinding,
    NATReboot,
    NetworkFault,
    NodeAddressChange,
    RateLimit,
    ReversePathFilter,
    fault_from_json,
    fault_to_json,
)
from l3conf.model.site import NATKind, SiteSpec
from l3conf.model.topology import NetworkPlugin
from l3conf.tests.fabric.test_build import NFT
from l3conf.tests.fabric.test_nat import BROKER, OUTSIDER, behind, bound, crosses, mapped, shared
from l3conf.tests.fabric.topologies import pair
from l3conf.tests.fabric.udp import PATIENCE, arrives, is_dropped, seen_as
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from l3conf.emulator.kernel.namespaces import NetworkNamespace

EAST, WEST = "172.16.1.10", "172.16.2.10"
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_BUFFERED = 100
OLD, NEW = "192.0.2.10", IPv4Address("192.0.2.200")
HIDDEN = SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT)
PATHS: list[NetworkFault] = [
    Cut(source="east", destination="west"),
    Loss(source="east", destination="west", share=1.0),
    RateLimit(source="east", destination="west", bytes_per_second=1000),
    Delay(source="east", destination="west", seconds=0.01),
]
OTHERS: list[NetworkFault] = [
    NATReboot(site="east"),
    AddressChange(site="east", address=NEW),
    NodeAddressChange(cluster="east", node="east-1", address=ip_address("172.16.1.200")),
    LinkDown(cluster="east", node="east-1"),
    ReversePathFilter(cluster="east", node="east-1", mode=1),
]


@contextlib.asynccontextmanager
async def during(faults: Faults, fault: NetworkFault) -> AsyncIterator[None]:
    end = await faults.begin(fault)
    try:
        yield
    finally:
        await end()


def configuration(fabric: Fabric) -> dict[str, str]:
    """Return everything that a fault could leave behind, by namespace; not what settles by itself (carrier)."""
    commands = [f"{NFT} list ruleset", "ip -o address", "ip route show table all | grep -v broadcast | sort"]
    commands += [
        "ip -o link | grep -o '^[^<]*<.*[<,]UP[,>]' | sed 's/<.*//'",
        "cat /proc/sys/net/ipv4/conf/*/rp_filter",
    ]
    script = "; ".join(commands)
    state = {}
    for key in fabric.plan.namespaces:
        with fabric.namespace(key).entered():
            argv = ["/bin/sh", "-c", script]
            state[key] = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.replace(
                " linkdown", ""
            )
    return state


@pytest.mark.parametrize("fault", [*PATHS, *OTHERS, NATRebinding(site="east")], ids=lambda each: type(each).__name__)
def test_a_fault_survives_its_journey_as_json(fault: NetworkFault) -> None:
    assert fault_from_json(fault_to_json(fault)) == fault


@sandboxed
@pytest.mark.parametrize("fault", [*PATHS, *OTHERS], ids=lambda each: type(each).__name__)
def test_everything_is_as_before_when_a_fault_has_ended(fault: NetworkFault) -> None:
    async def inflict(fabric: Fabric) -> None:
        faults = Faults(fabric)
        before = configuration(fabric)
        end = await faults.begin(fault)
        during = configuration(fabric)
        await end()
        await end()
        after = configuration(fabric)
        assert during != before
        if isinstance(fault, NATReboot):  # the one thing that a reboot is for
            assert "seed 0x0" in before["router:east"]
            assert "seed 0x0" not in after.pop("router:east")
            before.pop("router:east")
        assert after == before

    with Fabric.build(behind(HIDDEN)) as fabric:
        asyncio.run(inflict(fabric))


@sandboxed
def test_faults_of_the_same_place_are_refused_and_those_of_others_are_not() -> None:
    async def inflict(fabric: Fabric) -> None:
        faults = Faults(fabric)
        loss, delay = PATHS[1], PATHS[3]
        async with during(faults, loss):
            with pytest.raises(LabError, match="meets a Loss of the same place"):
                await faults.begin(loss)
            with pytest.raises(LabError, match="meets a Loss"):
                await faults.begin(delay)
            async with during(faults, Delay(source="west", destination="east", seconds=0.0)):
                pass
        async with during(faults, delay):
            pass

    with Fabric.build(pair()) as fabric:
        asyncio.run(inflict(fabric))


@sandboxed
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Loss(source="east", destination="north", share=0.5), "no site 'north'.*east, west, broker"),
        (Loss(source="east", destination="west", share=30), "a loss of 30 cannot be .*0 to 1"),
        (Delay(source="east", destination="west", seconds=-1), "a delay of -1 s"),
        (RateLimit(source="east", destination="west", bytes_per_second=0), "a rate of 0 bytes/s"),
        (NATReboot(site="west"), "the site of 'west' has no NAT of its own; sites with one: east"),
        (AddressChange(site="east", address=IPv4Address(BROKER)), "is no free address of 192.0.2.0/24"),
        (LinkDown(cluster="east", node="east-9"), "no 'east@east-9'"),
        (
            NodeAddressChange(cluster="east", node="east-1", address=ip_address("172.16.1.11")),
            "is no free address of 172.16.1.0/24",
        ),
        (
            NodeAddressChange(cluster="east", node="east-1", address=ip_address("fd01::9")),
            "is no free address of 172.16.1.0/24",
        ),
        (ReversePathFilter(cluster="east", node="east-1", mode=7), "7 is no mode of rp_filter"),
    ],
)
def test_an_impossible_fault_is_refused_with_its_reason_and_not_in_force(fault: NetworkFault, message: str) -> None:
    async def inflict(fabric: Fabric) -> None:
        faults = Faults(fabric)
        for _ in range(2):
            with pytest.raises(LabError, match=message):
                await faults.begin(fault)

    with Fabric.build(behind(HIDDEN)) as fabric:
        asyncio.run(inflict(fabric))


@sandboxed
@pytest.mark.parametrize(
    ("new", "old", "plugin"),
    [
        ("172.16.1.200", "172.16.1.10", NetworkPlugin.BRIDGE),
        ("172.16.1.200", "172.16.1.10", NetworkPlugin.ROUTED),
        ("fd01:1::200", "fd01:1::a", NetworkPlugin.BRIDGE),
    ],
)
def test_a_node_that_moved_is_found_there_and_so_are_its_pods(new: str, old: str, plugin: NetworkPlugin) -> None:
    there, six = ip_address(new), ":" in new

    async def inflict(fabric: Fabric) -> None:
        namespace, addresses = fabric.add_pod("east", "east-1", "pod")
        [pod] = [each for each in addresses if each.version == there.version]
        near, far = fabric.namespace("east@east-2"), fabric.namespace("west@west-1")
        move = NodeAddressChange(cluster="east", node="east-1", address=there)
        async with during(Faults(fabric), move):
            assert seen_as(far, fabric.namespace("east@east-1"), there) == ("fd01:2::a" if six else WEST)
            assert seen_as(near, namespace, pod) == ("fd01:1::b" if six else "172.16.1.11")
        assert seen_as(far, fabric.namespace("east@east-1"), ip_address(old)) == ("fd01:2::a" if six else WEST)
        assert seen_as(near, namespace, pod) == ("fd01:1::b" if six else "172.16.1.11")

    with Fabric.build(pair(dual=True, plugin=plugin)) as fabric:
        asyncio.run(inflict(fabric))


@sandboxed
def test_a_node_with_tunnels_to_the_others_does_not_move() -> None:
    move = NodeAddressChange(cluster="east", node="east-1", address=ip_address("172.16.1.200"))
    with (
        Fabric.build(pair(plugin=NetworkPlugin.OVERLAY)) as fabric,
        pytest.raises(LabError, match="tunnels between nodes"),
    ):
        asyncio.run(Faults(fabric).begin(move))


@sandboxed
def test_sites_behind_one_address_have_no_path_between_them_to_break() -> None:
    with Fabric.build(shared()) as fabric, pytest.raises(LabError, match="their public address is the same"):
        fabric.cut("east", "north")


@sandboxed
def test_loss_drops_its_share_of_one_direction() -> None:
    share, count = 0.3, 2000

    async def inflict(fabric: Fabric) -> tuple[int, int]:
        async with during(Faults(fabric), Loss(source="east", destination="west", share=share)):
            return arrived(fabric, "east", "west", count), arrived(fabric, "west", "east", 200)

    with Fabric.build(pair()) as fabric:
        there, back = asyncio.run(inflict(fabric))
        assert arrived(fabric, "east", "west", 200) == 200
    deviation = (count * share * (1 - share)) ** 0.5
    assert abs(count - there - count * share) < 5 * deviation
    assert back == 200


def arrived(fabric: Fabric, source: str, destination: str, count: int) -> int:
    """Send datagrams, no more at once than the receiver's buffer holds; return how many got there."""
    address = {"east": EAST, "west": WEST}[destination]
    with (
        bound(fabric, f"{destination}@{destination}-1", 7000) as receiver,
        bound(fabric, f"{source}@{source}-1", 7001) as sender,
    ):
        got = 0
        for batch in range(0, count, _BUFFERED):
            for _ in range(_BUFFERED):
                sender.sendto(b"counted", (address, 7000))
            got += heard_before(receiver, f"end {batch}".encode(), lambda word: sender.sendto(word, (address, 7000)))
        return got


def heard_before(receiver: socket.socket, last: bytes, say: Callable[[bytes], object]) -> int:
    """Return how many datagrams arrive before a last word, which is said until it gets through: order is kept."""
    receiver.settimeout(0.05)
    got = 0
    for _ in range(1000):
        say(last)
        with contextlib.suppress(TimeoutError):
            while (word := receiver.recv(100)) != last:
                got += word == b"counted"
            return got
    raise AssertionError("nothing arrives")


@sandboxed
def test_a_rate_limit_lets_its_rate_through_by_the_kernels_own_clock() -> None:
    rate, payload = 1_000_000, 1000

    async def inflict(fabric: Fabric) -> list[float]:
        fault = RateLimit(source="east", destination="west", bytes_per_second=rate)
        async with during(Faults(fabric), fault):
            return await asyncio.to_thread(flood, fabric, payload, 2_000_000)

    def measured() -> float:
        with Fabric.build(pair()) as fabric:
            stamps = asyncio.run(inflict(fabric))
        size = payload + 28
        first = next(index for index in range(len(stamps)) if (index + 1) * size > 1.1 * rules.burst(rate))
        octets, seconds = (len(stamps) - 1 - first) * size, stamps[-1] - stamps[first]
        assert octets > rate / 2
        return octets / seconds

    # A sender that the machine held up fills no limit: then it is asked again. More than its rate passes never.
    for _ in range(5):
        found = measured()
        assert found < 1.1 * rate
        if found > 0.9 * rate:
            return
    pytest.fail(f"{found:.0f} octets a second pass a limit of {rate}")


def flood(fabric: Fabric, payload: int, octets: int) -> list[float]:
    """Send more than a limit carries until so much has got through; return when the kernel received each."""
    stamps: list[float] = []
    with bound(fabric, "west@west-1", 7000) as receiver, bound(fabric, "east@east-1", 7001) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.settimeout(0)
        for _ in range(2_000_000):
            sender.sendto(bytes(payload), (WEST, 7000))
            with contextlib.suppress(BlockingIOError):
                _, [(_, _, stamp)], _, _ = receiver.recvmsg(2000, 100)
                seconds, nanoseconds = struct.unpack("=qq", stamp)
                stamps.append(seconds + nanoseconds / 1e9)
            if len(stamps) * payload > octets:
                break
    return stamps


@sandboxed
def test_a_delay_holds_one_direction_back_and_keeps_order_and_size() -> None:
    delay = 0.15

    async def inflict(fabric: Fabric) -> None:
        async with during(Faults(fabric), Delay(source="east", destination="west", seconds=delay)):
            await asyncio.to_thread(look, fabric)

    def look(fabric: Fabric) -> None:
        sent: list[float] = []
        stamped: list[float] = []
        with bound(fabric, "west@west-1", 7000) as west, bound(fabric, "east@east-1", 7001) as east:
            west.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            east.sendto(b"start", ("172.16.1.11", 9))  # neighbours are known from here on
            west.sendto(b"back", (EAST, 7001))
            assert east.recv(100) == b"back"
            for number in range(20):
                sent.append(time.time())
                east.sendto(bytes([number]) * (1 + number * 70), (WEST, 7000))
            for number in range(20):
                data, [(_, _, stamp)], _, _ = west.recvmsg(2000, 100)
                assert data == bytes([number]) * (1 + number * 70)
                seconds, nanoseconds = struct.unpack("=qq", stamp)
                stamped.append(seconds + nanoseconds / 1e9)
        # A lower bound, which no busy machine can break; how much later is the machine's affair.
        assert all(after - before >= delay for before, after in zip(sent, stamped, strict=True))

    with Fabric.build(pair()) as fabric:
        asyncio.run(inflict(fabric))
        assert seen_as(fabric.namespace("east@east-1"), fabric.namespace("west@west-1"), ip_address(WEST)) == EAST


@sandboxed
def test_a_delayed_path_carries_tcp_whole_and_can_be_cut() -> None:
    async def inflict(fabric: Fabric) -> None:
        async with during(Faults(fabric), Delay(source="east", destination="west", seconds=0.02)):
            assert await asyncio.to_thread(stream, fabric, 1 << 20) == 1 << 20
            fabric.cut("east", "west")
            east, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
            assert await asyncio.to_thread(is_dropped, east, west, ip_address(WEST))
            fabric.heal("east", "west")
            assert await asyncio.to_thread(arrives, east, west, ip_address(WEST))

    with Fabric.build(pair()) as fabric:
        asyncio.run(inflict(fabric))


def stream(fabric: Fabric, size: int) -> int:
    """Send octets over TCP, in segments as large as the kernel likes; return how many arrived intact."""
    with fabric.listen("west@west-1", IPv4Address(WEST), 7100) as listener:
        listener.settimeout(PATIENCE)
        with fabric.namespace("east@east-1").socket(socket.AF_INET, socket.SOCK_STREAM) as sender:
            sender.settimeout(PATIENCE)
            sender.connect((WEST, 7100))
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                return _pump(sender, connection, size)


def _pump(sender: socket.socket, receiver: socket.socket, size: int) -> int:
    sent = received = 0
    block = bytes(range(256)) * 64
    while received < size:
        if sent < size:
            sent += sender.send(block[: size - sent])
        data = receiver.recv(1 << 16)
        assert data == (block * 6)[received % 256 : received % 256 + len(data)]
        received += len(data)
    return received


@sandboxed
@pytest.mark.parametrize("kind", [NATKind.ENDPOINT_INDEPENDENT, NATKind.ADDRESS_AND_PORT_DEPENDENT])
def test_a_rebound_nat_uses_other_ports_and_forgets_the_old_ones(kind: NATKind) -> None:
    with (
        Fabric.build(behind(SiteSpec(nat=kind))) as fabric,
        bound(fabric, "east@east-1", 4500) as inside,
        bound(fabric, "broker", 7000) as near,
    ):
        old = mapped(inside, (BROKER, 7000), near)
        assert crosses(near, old, inside)
        asyncio.run(_begin_and_forget(fabric, NATRebinding(site="east")))
        assert crosses(near, old, inside) is None
        new = mapped(inside, (BROKER, 7000), near)
        assert (old[0], old[1] != new[1]) == (new[0], True)
        assert crosses(near, new, inside)


async def _begin_and_forget(fabric: Fabric, fault: NetworkFault) -> None:
    await Faults(fabric).begin(fault)


@sandboxed
def test_a_nat_that_reboots_is_dark_and_comes_back_without_its_mappings() -> None:
    async def inflict(fabric: Fabric, inside: socket.socket, near: socket.socket) -> None:
        old = mapped(inside, (BROKER, 7000), near)
        async with during(Faults(fabric), NATReboot(site="east")):
            assert crosses(inside, (BROKER, 7000), near) is None
        assert crosses(near, old, inside) is None
        assert mapped(inside, (BROKER, 7000), near) != old

    with (
        Fabric.build(behind(HIDDEN)) as fabric,
        bound(fabric, "east@east-1", 4500) as inside,
        bound(fabric, "broker", 7000) as near,
    ):
        asyncio.run(inflict(fabric, inside, near))


@sandboxed
def test_a_changed_public_address_is_seen_by_others_and_the_old_one_leads_nowhere() -> None:
    async def inflict(fabric: Fabric, inside: socket.socket, near: socket.socket) -> None:
        old = mapped(inside, (BROKER, 7000), near)
        async with during(Faults(fabric), AddressChange(site="east", address=NEW)):
            assert crosses(near, old, inside) is None
            new = mapped(inside, (BROKER, 7000), near)
            assert new[0] == str(NEW)
            assert crosses(near, new, inside)
        assert mapped(inside, (BROKER, 7000), near)[0] == OLD

    with (
        Fabric.build(behind(dataclasses.replace(HIDDEN, wan_mtu=1400))) as fabric,
        bound(fabric, "east@east-1", 4500) as inside,
        bound(fabric, "broker", 7000) as near,
    ):
        asyncio.run(inflict(fabric, inside, near))


@sandboxed
def test_a_node_whose_link_is_down_is_alone_until_it_is_up_again() -> None:
    async def inflict(fabric: Fabric) -> None:
        east, outsider = fabric.namespace("east@east-1"), fabric.namespace("@outsider")
        async with during(Faults(fabric), LinkDown(cluster="east", node="east-1")):
            assert is_dropped(outsider, east, ip_address(EAST))
            assert arrives(outsider, fabric.namespace("east@east-2"), ip_address("172.16.1.11"))
        with bound(fabric, "@outsider", 7001) as sender, bound(fabric, "east@east-1", 7001) as receiver:
            assert crosses(sender, (EAST, 7001), receiver) == (OUTSIDER, 7001)

    with Fabric.build(pair()) as fabric:
        asyncio.run(inflict(fabric))


@sandboxed
def test_a_reset_reverse_path_filter_goes_back_but_for_what_was_changed_since() -> None:
    def modes(namespace: NetworkNamespace) -> dict[str, str]:
        with namespace.entered():
            found = Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter")
            return {path.parent.name: path.read_text().strip() for path in found}

    def loosen(namespace: NetworkNamespace) -> None:
        with namespace.entered():
            Path("/proc/sys/net/ipv4/conf/eth0/rp_filter").write_text("2")

    async def inflict(fabric: Fabric) -> None:
        node = fabric.namespace("east@east-1")
        before = modes(node)
        async with during(Faults(fabric), ReversePathFilter(cluster="east", node="east-1", mode=1)):
            assert set(modes(node).values()) == {"1"}
            loosen(node)
        assert modes(node) == {**before, "eth0": "2"}

    with Fabric.build(pair()) as fabric:
        asyncio.run(inflict(fabric))
