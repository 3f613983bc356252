"""Cables of WireGuard in namespaces, with a real wireguard-go on each gateway (or the kernel's, where there is one)."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import gateway, route_agent
from reference_impl.drivers.key_file import KeyPair, load_or_make, public_key
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.drivers.wireguard import UserspaceControl, kernel_has_wireguard
from reference_impl.names import PUBLIC_KEY, WIREGUARD_DEVICE
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.state import KernelState, WireGuardLink
from reference_impl.tests.kernel.cluster_set import Site, build, configuration, converge, plan_of_node
from reference_impl.tests.kernel.sandbox import _unshare, ask_tcp, ask_udp, sandboxed, shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.state import Observed
    from reference_impl.tests.kernel.sandbox import Host

_NEW_NS = 0x00020000
KEYS = {number: KeyPair(bytes([number]) * 32) for number in (1, 2)}
pytestmark = pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="wireguard-go is not installed")


def started() -> tuple[Site, Site, Host]:
    """Build two sites; both gateways have wireguard-go if the kernel has no WireGuard."""
    east, west, router = build()
    shell("mount -t tmpfs tmpfs /run; mkdir -p /run/wireguard")
    for site in (east, west):
        shell(f"mkdir -p /run/{site.nodes[0].name}")
        if kernel_has_wireguard():
            continue
        site.nodes[0].background(lambda site=site: start(site.nodes[0]))  # type: ignore[misc]
        wait_for(lambda site=site: site.nodes[0].shell(f"ip -o link show {WIREGUARD_DEVICE} || true"))  # type: ignore[misc]
    return east, west, router


def start(node: Host) -> None:
    enter(node)
    environ = {**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"}
    os.execvpe("wireguard-go", ["wireguard-go", WIREGUARD_DEVICE], environ)  # noqa: S606, S607


def enter(node: Host) -> None:
    """Show the node's own directory at the place that wireguard-go has compiled in."""
    _unshare(_NEW_NS)
    shell(f"mount --bind /run/{node.name} /run/wireguard")


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not within 10 s"
        time.sleep(0.02)


def endpoint_parameters(site: Site, key: KeyPair | None = None) -> frozenset[tuple[str, str]]:
    return frozenset({(PUBLIC_KEY, (key or KEYS[site.number]).public)})


def program(site: Site, plan: Callable[[Observed], KernelState]) -> str:
    """Bring a gateway to a plan, as an agent that has just started would; return steps, failures after them."""

    def inside() -> str:
        enter(site.nodes[0])
        kernel = LinuxKernel(gateway.OWNERSHIP, KEYS[site.number])
        observed = kernel.observe()
        steps = diff(plan(observed), observed)
        failures = kernel.apply(steps)
        kernel.close()
        return "\n".join([*map(str, steps), *(f"FAILED {failure}" for failure in failures)])

    return site.nodes[0].run(inside)


def cables(site: Site, other: Site, **changes: object) -> Callable[[Observed], KernelState]:
    peer = replace(other.endpoint, parameters=endpoint_parameters(other), backend="wireguard", **changes)  # type: ignore[arg-type]
    driver = WireGuardCables(KEYS[site.number].public)
    return lambda observed: plan_cables(
        GatewayFacts(own=site.cluster, underlay=site.endpoint.private_ip, peers=(peer,), addresses=observed.addresses),
        DriverSet((driver,)),
    )


def connect(site: Site, other: Site) -> None:
    for node, host in zip(site.as_nodes(), site.nodes, strict=True):

        def of_node(observed: Observed, node: object = node) -> KernelState:
            return plan_of_node(site, other, node, observed, driver=WireGuardCables())  # type: ignore[arg-type]

        converge(host, route_agent.OWNERSHIP, of_node)
    assert "FAILED" not in program(site, cables(site, other))


def connected() -> tuple[Site, Site, Host]:
    east, west, router = started()
    connect(east, west)
    connect(west, east)
    return east, west, router


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
def test_a_packet_that_is_too_big_is_told_so_with_the_cable_s_mtu_by_the_first_node() -> None:
    east, west, _ = connected()
    for pod in east.pods:
        answer = pod.shell(f"ping -c1 -W1 -Mdo -s1420 {west.pod_address(1)} 2>&1 || true")
        assert "mtu = 1420" in answer


@sandboxed
def test_an_agent_that_starts_again_finds_nothing_to_do() -> None:
    east, west, _ = connected()
    assert east.pods[1].run(lambda: ask_udp(west.pod_address(1))) == east.pod_address(1)
    for site, other in ((east, west), (west, east)):
        assert program(site, cables(site, other)) == ""


@sandboxed
def test_what_a_device_has_learnt_outlives_a_resync_with_older_news() -> None:
    east, west, _ = connected()
    ask = partial(ask_udp, west.pod_address(1))
    assert east.pods[1].run(ask) == east.pod_address(1)
    # West believes, and a restarted agent of west is told again, that east is where nobody is.
    stale = ip_address("172.16.1.77")
    assert "peer" not in program(west, cables(west, east, private_ip=stale)).replace("submariner-cable", "")
    assert east.pods[1].run(ask) == east.pod_address(1)


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
    west.nodes[0].shell("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.submariner.rp_filter=0")
    east.nodes[0].shell("ip addr add 10.77.0.1/32 dev lo; nft flush ruleset")
    before = datagrams()
    east.nodes[0].run(lambda: ask_udp(target, source="10.77.0.1", seconds=0.3))
    assert datagrams() == before
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(0)


@sandboxed
def test_nothing_readable_passes_between_the_sites() -> None:
    east, west, router = connected()
    marker = b"l3-clear-text-marker"
    seen = "/run/seen"
    router.background(partial(listen, "n10", seen))
    wait_for(lambda: Path(seen).exists())
    # Between the gateways' own pods: within a cluster, packets are as readable as any of the plugin's.
    assert east.pods[0].run(lambda: ask_udp(west.pod_address(0), payload=marker)) == east.pod_address(0)
    wait_for(lambda: Path(seen).stat().st_size > 0)
    assert marker not in Path(seen).read_bytes()
    # The control: the same marker in the clear is seen.
    east.nodes[0].run(lambda: ask_udp("172.16.2.10", payload=marker, seconds=0.2))
    wait_for(lambda: marker in Path(seen).read_bytes())


def listen(device: str, path: str) -> None:
    """Write every packet of a device into a file."""
    import socket  # noqa: PLC0415 - in the child only

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap, Path(path).open("wb", 0) as file:
        tap.bind((device, 0))
        while True:
            file.write(tap.recv(65536))


@sandboxed
def test_without_a_device_nothing_leaves_and_the_reason_is_said() -> None:
    east, west, _ = build()
    shell(f"mount -t tmpfs tmpfs /run; mkdir -p /run/wireguard /run/{east.nodes[0].name}")
    for node, host in zip(east.as_nodes(), east.nodes, strict=True):
        plan = partial(plan_of_node, east, west, node, driver=WireGuardCables())
        converge(host, route_agent.OWNERSHIP, plan)
    said = program(east, cables(east, west))
    if "FAILED" not in said:
        pytest.skip("this kernel has WireGuard")
    assert "neither the kernel nor wireguard-go" in said
    assert KEYS[1].private.hex() not in said
    assert "No route to host" in east.pods[1].run(lambda: ask_tcp(west.pod_address(1)))


@sandboxed
def test_cleaning_leaves_a_device_that_knows_nothing_and_no_trace_once_its_process_ended() -> None:
    east, west, _ = started()
    before = [configuration(node) for node in east.nodes]
    connect(east, west)
    assert "FAILED" not in program(east, lambda _: KernelState())
    converge(east.nodes[0], route_agent.OWNERSHIP, lambda _: KernelState())
    converge(east.nodes[1], route_agent.OWNERSHIP, lambda _: KernelState())

    def device() -> str:
        enter(east.nodes[0])
        state = UserspaceControl(WIREGUARD_DEVICE).read()
        assert state is not None
        return f"{state.private_key!r} {state.peers}"

    if not kernel_has_wireguard():
        assert east.nodes[0].run(device) == "None ()"
    assert program(east, lambda _: KernelState()) == ""
    assert [configuration(node).replace(" mtu 1420", "") for node in east.nodes] == [
        text.replace(" mtu 1420", "") for text in before
    ]


@sandboxed
def test_the_kernel_and_its_fake_agree_on_what_a_plan_leaves() -> None:
    east, west, _ = connected()

    def inside() -> str:
        enter(east.nodes[0])
        kernel = LinuxKernel(gateway.OWNERSHIP, KEYS[1])
        observed = kernel.observe()
        kernel.close()
        plan = cables(east, west)(observed)
        links = {link for link in observed.state.links if isinstance(link, WireGuardLink)}
        peers = {replace(peer, endpoint=None) for peer in observed.state.peers}
        assert links == plan.links
        assert peers == {replace(peer, endpoint=None) for peer in plan.peers}
        return "same"

    assert east.nodes[0].run(inside) == "same"


def test_a_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "key"
    first = load_or_make(path)
    assert load_or_make(path).private == first.private
    assert path.stat().st_mode & 0o077 == 0
    assert public_key(first.private) == first.public
    assert first.private.hex() not in repr(first)


def test_half_a_key_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"half")
    assert len(load_or_make(path).private) == 32
