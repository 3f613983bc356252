"""Cables of IPsec in namespaces, with a real IKE daemon on each gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import vici

from reference_impl.agents import gateway, ipsec_engine, route_agent
from reference_impl.drivers.charon import CHARON_DIRECTORY
from reference_impl.drivers.key_file import KeyPair
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.names import PUBLIC_KEY
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.ipsec import IPsecCables, sub_tunnels_down
from reference_impl.state import KernelState
from reference_impl.tests.kernel.cluster_set import Site, build, configuration, converge, endpoint_of, plan_of_node
from reference_impl.tests.kernel.sandbox import _unshare, ask_tcp, ask_udp, sandboxed, shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.state import Observed
    from reference_impl.tests.kernel.sandbox import Host

_NEW_NS = 0x00020000
KEYS = {number: KeyPair(bytes([number]) * 32) for number in (1, 2)}
pytestmark = pytest.mark.skipif(
    not any(Path(folder, ipsec_engine.PROGRAM).exists() for folder in ("/usr/sbin", "/usr/lib/ipsec")),
    reason="charon-systemd is not installed",
)


def started() -> tuple[Site, Site, Host]:
    """Build two sites with an IKE daemon on each gateway."""
    east, west, router = build()
    shell("mount -t tmpfs tmpfs /run; mkdir -p /run/charon")
    for site in (east, west):
        shell(f"mkdir -p /run/{site.nodes[0].name}")
        site.nodes[0].background(partial(engine, site.nodes[0]))
    for site in (east, west):
        wait_for(lambda site=site: Path(f"/run/{site.nodes[0].name}/charon.vici").exists())  # type: ignore[misc]
    return east, west, router


def engine(node: Host) -> None:
    enter(node)
    os.dup2(os.open(f"/run/{node.name}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    asyncio.run(ipsec_engine.run())


def enter(node: Host) -> None:
    """Show the node's own directory at the place that agent and engine share."""
    _unshare(_NEW_NS)
    shell(f"mount --bind /run/{node.name} {CHARON_DIRECTORY}")


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def program(site: Site, plan: Callable[[Observed], KernelState], key: KeyPair | None = None) -> str:
    """Bring a gateway to a plan, as an agent that has just started would; return steps, failures after them."""

    def inside() -> str:
        enter(site.nodes[0])
        kernel = LinuxKernel(gateway.OWNERSHIP, key or KEYS[site.number])
        observed = kernel.observe()
        steps = diff(plan(observed), observed)
        failures = kernel.apply(steps)
        kernel.close()
        return "\n".join([*map(str, steps), *(f"FAILED {failure}" for failure in failures)])

    return site.nodes[0].run(inside)


def cables(
    site: Site, other: Site, *, keys: dict[int, KeyPair] = KEYS, **changes: object
) -> Callable[[Observed], KernelState]:
    parameters = frozenset({(PUBLIC_KEY, keys[other.number].public)})
    peer = endpoint_of(other, parameters=parameters, backend="libreswan", **changes)
    driver = IPsecCables(keys[site.number].public)
    return lambda observed: plan_cables(
        GatewayFacts(own=site.cluster, underlay=site.endpoint.private_ip, peers=(peer,), addresses=observed.addresses),
        DriverSet((driver,)),
    )


def connect(site: Site, other: Site) -> None:
    for node, host in zip(site.as_nodes(), site.nodes, strict=True):

        def of_node(observed: Observed, node: object = node) -> KernelState:
            return plan_of_node(site, other, node, observed, driver=IPsecCables())  # type: ignore[arg-type]

        converge(host, route_agent.OWNERSHIP, of_node)
    assert "FAILED" not in program(site, cables(site, other))


def connected() -> tuple[Site, Site, Host]:
    east, west, router = started()
    connect(east, west)
    connect(west, east)
    for site, other in ((east, west), (west, east)):
        wait_for(lambda site=site, other=other: missing(site, other) == "")  # type: ignore[misc]
    return east, west, router


def missing(site: Site, other: Site) -> str:
    """Return which sub-tunnels of a gateway are down."""

    def inside() -> str:
        enter(site.nodes[0])
        kernel = LinuxKernel(gateway.OWNERSHIP, KEYS[site.number])
        observed = kernel.observe()
        kernel.close()
        down = sub_tunnels_down(cables(site, other)(observed).ike_peers, observed.sub_tunnels)
        return " ".join(f"{own}={remote}" for pairs in down.values() for own, remote in pairs)

    return site.nodes[0].run(inside)


@sandboxed
def test_pods_reach_pods_and_services_and_keep_their_address() -> None:
    east, west, _ = connected()
    for here, there in ((east, west), (west, east)):
        for client, pod in enumerate(here.pods):
            for server in range(len(there.pods)):
                assert pod.run(partial(ask_udp, there.pod_address(server))) == here.pod_address(client)
            assert pod.run(partial(ask_udp, there.service_address)) == here.pod_address(client)
            assert (
                pod.run(partial(ask_tcp, there.pod_address(1), payload=bytes(1 << 20)))
                == f"{here.pod_address(client)} {1 << 20}"
            )


@sandboxed
def test_an_agent_that_starts_again_finds_nothing_to_do() -> None:
    east, west, _ = connected()
    assert east.pods[1].run(lambda: ask_udp(west.pod_address(1))) == east.pod_address(1)
    for site, other in ((east, west), (west, east)):
        assert program(site, cables(site, other)) == ""


@sandboxed
def test_a_packet_that_is_too_big_is_told_so_with_the_cable_s_mtu_by_the_first_node() -> None:
    east, west, _ = connected()
    for pod in east.pods:
        answer = pod.shell(f"ping -c1 -W1 -Mdo -s1380 {west.pod_address(1)} 2>&1 || true")
        assert "mtu = 1400" in answer
        assert " 0% packet loss" in pod.shell(f"ping -c1 -W1 -Mdo -s1372 {west.pod_address(1)} 2>&1 || true")


@sandboxed
def test_rekeying_and_an_agent_s_restart_lose_no_packet() -> None:
    east, west, _ = connected()
    west_pod, seen = west.pods[1], Path("/run/flow")
    east.pods[1].background(partial(flow, west.pod_address(1), seen))
    wait_for(lambda: seen.exists() and seen.read_text().count("\n") > 20)

    for _ in range(2):
        before = child_spis(west)
        rekey(east)
        assert program(east, cables(east, west)) == ""
        wait_for(lambda before=before: child_spis(west).isdisjoint(before))  # type: ignore[misc]
    wait_for(lambda: seen.read_text().count("\n") > 200)
    lost = [line for line in seen.read_text().splitlines() if line != east.pod_address(1)]
    assert lost == []
    assert west_pod.run(lambda: ask_udp(east.pod_address(1))) == west.pod_address(1)


def flow(address: str, seen: Path) -> None:
    """Ask every 10 ms, and write down each answer."""
    with seen.open("w", buffering=1) as file:
        while True:
            file.write(ask_udp(address, seconds=0.5) + "\n")
            time.sleep(0.01)


def daemon(node: Host) -> vici.Session:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(f"/run/{node.name}/charon.vici")
    return vici.Session(connection)


def rekey(site: Site) -> None:
    """Give every child SA of a gateway new keys."""
    session = daemon(site.nodes[0])
    names = {child["name"] for sa in session.list_sas() for one in sa.values() for child in one["child-sas"].values()}
    for name in names:
        assert session.rekey({"child": name})["success"] == b"yes"


def child_spis(site: Site) -> frozenset[bytes]:
    """Return the numbers of a gateway's child SAs."""
    listed = daemon(site.nodes[0]).list_sas()
    return frozenset(child["spi-in"] for sa in listed for one in sa.values() for child in one["child-sas"].values())


@sandboxed
def test_a_daemon_that_dies_lets_nothing_out_and_its_successor_is_loaded_by_the_next_look() -> None:
    east, west, router = connected()
    pod = east.pods[0]
    ask = partial(ask_udp, west.pod_address(1), payload=MARKER, seconds=0.3)
    assert pod.run(ask) == east.pod_address(0)
    seen = listening(router, "n10")
    kill_daemon(east)
    wait_for(lambda: pod.run(ask) != east.pod_address(0))
    wait_for(lambda: Path(f"/run/{east.nodes[0].name}/charon.vici").exists())
    assert pod.run(ask) != east.pod_address(0)
    program(east, cables(east, west))
    wait_for(lambda: pod.run(ask) == east.pod_address(0))
    assert MARKER not in seen.read_bytes()
    # The control: the same marker in the clear is seen.
    east.nodes[0].run(lambda: ask_udp("172.16.2.10", payload=MARKER, seconds=0.2))
    wait_for(lambda: MARKER in seen.read_bytes())


MARKER = b"l3-clear-text-marker"


def kill_daemon(site: Site) -> None:
    """Kill the daemon in a gateway's namespace, and no other."""
    namespace = Path(f"/proc/{site.nodes[0].pid}/ns/net").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program_name, its = (process / "comm").read_text(), (process / "ns/net").readlink()
        except OSError:
            continue
        if its == namespace and program_name.startswith("charon"):
            os.kill(int(process.name), signal.SIGKILL)


def listening(router: Host, device: str) -> Path:
    seen = Path("/run/seen")
    router.background(partial(listen, device, str(seen)))
    wait_for(seen.exists)
    return seen


@sandboxed
def test_nothing_readable_passes_between_the_sites() -> None:
    east, west, router = connected()
    seen = listening(router, "n10")
    # Between the gateways' own pods: within a cluster, packets are as readable as any of the plugin's.
    assert east.pods[0].run(lambda: ask_udp(west.pod_address(0), payload=MARKER)) == east.pod_address(0)
    wait_for(lambda: seen.stat().st_size > 0)
    assert MARKER not in seen.read_bytes()
    # The control: the same marker in the clear is seen.
    east.nodes[0].run(lambda: ask_udp("172.16.2.10", payload=MARKER, seconds=0.2))
    wait_for(lambda: MARKER in seen.read_bytes())


@sandboxed
def test_a_peer_cannot_send_from_a_prefix_that_it_did_not_announce() -> None:
    east, west, _ = connected()
    pod, target = east.pods[0], west.pod_address(0)
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(0)

    def datagrams() -> int:
        snmp = [line.split() for line in west.pods[0].shell("cat /proc/net/snmp").splitlines() if line[:4] == "Udp:"]
        return int(snmp[1][snmp[0].index("InDatagrams")])

    # The gateway of east sends, through its own tunnel, from an address of nobody's; west's filters are taken away.
    for table in ("submariner", "submariner-cable"):
        west.nodes[0].shell(f"nft delete table inet {table}")
    west.nodes[0].shell("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.ipsec0.rp_filter=0")
    east.nodes[0].shell("ip addr add 10.77.0.1/32 dev lo; nft flush ruleset")
    before = datagrams()
    east.nodes[0].run(lambda: ask_udp(target, source="10.77.0.1", seconds=0.3))
    assert datagrams() == before
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(0)


@sandboxed
def test_a_member_that_knows_both_public_keys_is_not_let_in() -> None:
    east, west, _ = started()
    connect(east, west)
    # West's gateway is an impostor here: it has a key of its own, and says that it is west.
    impostor = KeyPair(bytes([7]) * 32)
    pretended = {1: KEYS[1], 2: impostor}
    assert "FAILED" not in program(west, cables(west, east, keys=pretended), key=impostor)
    log = Path(f"/run/{east.nodes[0].name}/log")
    wait_for(lambda: log.read_text().count("MAC mismatched") + log.read_text().count("AUTHENTICATION_FAILED") > 1)
    assert missing(east, west).count("=") == 4
    assert east.pods[0].run(lambda: ask_udp(west.pod_address(0), seconds=0.3)) != east.pod_address(0)


@sandboxed
def test_without_a_daemon_nothing_leaves_and_the_reason_is_said() -> None:
    east, west, _ = build()
    shell(f"mount -t tmpfs tmpfs /run; mkdir -p /run/charon /run/{east.nodes[0].name}")
    for node, host in zip(east.as_nodes(), east.nodes, strict=True):
        converge(host, route_agent.OWNERSHIP, partial(plan_of_node, east, west, node, driver=IPsecCables()))
    said = program(east, cables(east, west))
    assert "no IKE daemon on this node" in said
    assert KEYS[1].private.hex() not in said
    assert "No route to host" in east.pods[1].run(lambda: ask_tcp(west.pod_address(1)))


@sandboxed
def test_cleaning_leaves_a_daemon_that_knows_nothing_and_no_trace_once_it_ended() -> None:
    east, west, _ = started()
    before = [configuration(node) for node in east.nodes]
    connect(east, west)
    connect(west, east)
    wait_for(lambda: missing(east, west) == "")
    assert "FAILED" not in program(east, lambda _: KernelState())
    for node in east.nodes:
        converge(node, route_agent.OWNERSHIP, lambda _: KernelState())
    assert program(east, lambda _: KernelState()) == ""
    wait_for(lambda: not child_spis(east))
    assert [configuration(node).replace(" mtu 1400", "") for node in east.nodes] == [
        text.replace(" mtu 1400", "") for text in before
    ]


def listen(device: str, path: str) -> None:
    """Write every packet of a device into a file."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap, Path(path).open("wb", 0) as file:
        tap.bind((device, 0))
        while True:
            file.write(tap.recv(65536))
