"""Cables of WireGuard in namespaces, with a real wireguard-go on each gateway (or the kernel's, where there is one)."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import route_agent
from reference_impl.drivers.key_file import KeyPair, load_or_make, public_key
from reference_impl.drivers.wireguard import UserspaceControl, kernel_has_wireguard
from reference_impl.names import PUBLIC_KEY, WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.state import KernelState, WireGuardLink
from reference_impl.tests.kernel.cluster_set import build, configuration, converge, endpoint_of
from reference_impl.tests.kernel.gateways import KEYS, MARKER, Technology, datagrams, listening, wait_for
from reference_impl.tests.kernel.sandbox import ask_tcp, ask_udp, sandboxed, shell

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.linux_kernel import LinuxKernel
    from reference_impl.tests.kernel.sandbox import Host

pytestmark = pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="wireguard-go is not installed")


def start(node: Host) -> None:
    """Run wireguard-go, but where the kernel has WireGuard: asked in here, as the host's own namespace is not ours."""
    if kernel_has_wireguard():
        return
    WIREGUARD.enter(node)
    environ = {**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"}
    os.execvpe("wireguard-go", ["wireguard-go", WIREGUARD_DEVICE], environ)  # noqa: S606, S607


def is_ready(node: Host) -> bool:
    return kernel_has_wireguard() or bool(has_device(node))


def has_device(node: Host) -> str:
    return node.shell(f"ip -o link show {WIREGUARD_DEVICE} || true")


WIREGUARD = Technology(
    driver=WireGuardCables,
    directory="/run/wireguard",
    process=start,
    is_ready=is_ready,
)


@sandboxed
def test_the_kernel_carries_where_it_can() -> None:
    east, west, _ = WIREGUARD.connected()
    for site in (east, west):
        device = site.nodes[0].shell(f"ip -details link show {WIREGUARD_DEVICE}")
        assert ("wireguard" in device.split(), "tun" in device.split()) == (
            kernel_has_wireguard(),
            not kernel_has_wireguard(),
        )


@sandboxed
def test_pods_reach_pods_and_services_and_keep_their_address() -> None:
    east, west, _ = WIREGUARD.connected()
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
    east, west, _ = WIREGUARD.connected()
    for pod in east.pods:
        answer = pod.shell(f"ping -c1 -W1 -Mdo -s1420 {west.pod_address(1)} 2>&1 || true")
        assert "mtu = 1420" in answer


@sandboxed
def test_an_agent_that_starts_again_finds_nothing_to_do() -> None:
    east, west, _ = WIREGUARD.connected()
    assert east.pods[1].run(lambda: ask_udp(west.pod_address(1))) == east.pod_address(1)
    for site, other in ((east, west), (west, east)):
        assert WIREGUARD.program(site, WIREGUARD.cables(site, other)) == ""


@sandboxed
def test_what_a_device_has_learnt_outlives_a_resync_with_older_news() -> None:
    east, west, _ = WIREGUARD.connected()
    ask = partial(ask_udp, west.pod_address(1))
    assert east.pods[1].run(ask) == east.pod_address(1)
    # West believes, and a restarted agent of west is told again, that east is where nobody is.
    stale = ip_address("172.16.1.77")
    assert "peer" not in WIREGUARD.program(west, WIREGUARD.cables(west, east, private_ip=stale)).replace(
        "submariner-cable", ""
    )
    assert east.pods[1].run(ask) == east.pod_address(1)


@sandboxed
def test_a_peer_cannot_send_from_a_prefix_that_it_did_not_announce() -> None:
    east, west, _ = WIREGUARD.connected()
    pod, target = east.pods[0], west.pod_address(0)
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(0)

    # The gateway of east sends, through its own tunnel, from an address of nobody's; west's filters are taken away.
    for table in ("submariner", "submariner-cable"):
        west.nodes[0].shell(f"nft delete table inet {table}")
    west.nodes[0].shell("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.submariner.rp_filter=0")
    east.nodes[0].shell("ip addr add 10.77.0.1/32 dev lo; nft flush ruleset")
    before = datagrams(west.pods[0])
    east.nodes[0].run(lambda: ask_udp(target, source="10.77.0.1", seconds=0.3))
    assert datagrams(west.pods[0]) == before
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(0)


@sandboxed
def test_nothing_readable_passes_between_the_sites() -> None:
    east, west, router = WIREGUARD.connected()
    seen = listening(router, "n10")
    # Between the gateways' own pods: within a cluster, packets are as readable as any of the plugin's.
    assert east.pods[0].run(lambda: ask_udp(west.pod_address(0), payload=MARKER)) == east.pod_address(0)
    wait_for(lambda: seen.stat().st_size > 0)
    assert MARKER not in seen.read_bytes()
    # The control: the same marker in the clear is seen.
    east.nodes[0].run(lambda: ask_udp("172.16.2.10", payload=MARKER, seconds=0.2))
    wait_for(lambda: MARKER in seen.read_bytes())


@sandboxed
def test_without_a_device_nothing_leaves_and_the_reason_is_said() -> None:
    east, west, _ = build()
    shell(f"mount -t tmpfs tmpfs /run; mkdir -p /run/wireguard /run/{east.nodes[0].name}")
    WIREGUARD.plan_nodes(east, west)
    said = WIREGUARD.program(east, WIREGUARD.cables(east, west))
    if "FAILED" not in said:
        pytest.skip("this kernel has WireGuard")
    assert "neither the kernel nor wireguard-go" in said
    assert KEYS[1].private.hex() not in said
    assert "No route to host" in east.pods[1].run(lambda: ask_tcp(west.pod_address(1)))


@sandboxed
def test_cleaning_leaves_a_device_that_knows_nothing_and_no_trace_once_its_process_ended() -> None:
    east, west, _ = WIREGUARD.started()
    before = [configuration(node) for node in east.nodes]
    WIREGUARD.connect(east, west)
    assert "FAILED" not in WIREGUARD.program(east, lambda _: KernelState())
    converge(east.nodes[0], route_agent.OWNERSHIP, lambda _: KernelState())
    converge(east.nodes[1], route_agent.OWNERSHIP, lambda _: KernelState())

    def device() -> str:
        WIREGUARD.enter(east.nodes[0])
        state = UserspaceControl(WIREGUARD_DEVICE).read()
        assert state is not None
        return f"{state.private_key!r} {state.peers}"

    if not kernel_has_wireguard():
        assert east.nodes[0].run(device) == "None ()"
    assert WIREGUARD.program(east, lambda _: KernelState()) == ""
    assert [configuration(node).replace(" mtu 1420", "") for node in east.nodes] == [
        text.replace(" mtu 1420", "") for text in before
    ]


@sandboxed
def test_the_kernel_and_its_fake_agree_on_what_a_plan_leaves() -> None:
    east, west, _ = WIREGUARD.connected()

    def compare(kernel: LinuxKernel) -> str:
        observed = kernel.observe()
        plan = WIREGUARD.cables(east, west)(observed)
        links = {link for link in observed.state.links if isinstance(link, WireGuardLink)}
        peers = {replace(peer, endpoint=None) for peer in observed.state.peers}
        assert links == plan.links
        assert peers == {replace(peer, endpoint=None) for peer in plan.peers}
        return "same"

    assert WIREGUARD.inside(east, compare) == "same"


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


def start_second(node: Host) -> None:
    """Run a further wireguard-go for the second device, but where the kernel has WireGuard."""
    if kernel_has_wireguard():
        return
    WIREGUARD.enter(node)
    environ = {**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"}
    os.execvpe("wireguard-go", ["wireguard-go", WIREGUARD_SECOND_DEVICE], environ)  # noqa: S606, S607


@sandboxed
def test_packets_of_a_gateway_that_stands_by_are_taken_beside_the_active_one_s() -> None:
    east, west, router = WIREGUARD.started()
    standing_by, far = east.nodes[1], west.nodes[0]
    for host in (standing_by, far):  # answers take another way than questions (docs/adr/0031)
        host.shell("sysctl -qw net.ipv4.conf.all.rp_filter=0")
    shell(f"mkdir -p /run/{standing_by.name}")
    standing_by.background(partial(start, standing_by))
    far.background(partial(start_second, far))
    wait_for(lambda: is_ready(standing_by) and (kernel_has_wireguard() or WIREGUARD_SECOND_DEVICE in far.shell("ip l")))
    for site, other in ((east, west), (west, east)):
        WIREGUARD.plan_nodes(site, other)
    key = KeyPair(bytes([3]) * 32)
    third = {**KEYS, 1: key}
    first = partial(endpoint_of, east, backend=WIREGUARD.driver("").backend)
    old = first(parameters=frozenset({(PUBLIC_KEY, KEYS[1].public)}))
    new = first(parameters=frozenset({(PUBLIC_KEY, key.public)}), private_ip=east.as_nodes()[1].underlay)
    for steps in (
        WIREGUARD.program(east, WIREGUARD.cables(east, west)),
        WIREGUARD.program(west, WIREGUARD.cables(west, east, standbys=(new,))),
        WIREGUARD.program(east, WIREGUARD.cables(east, west, keys=third, index=1), key, index=1),
    ):
        assert "FAILED" not in steps

    def reached() -> list[str]:
        return [pod.run(partial(ask_udp, west.pod_address(1))) for pod in east.pods]

    # Each node of east sends through its own cable, and what it sends comes from its own address.
    seen = [listening(router, f"n1{index}", f"/run/seen{index}") for index in (0, 1)]
    assert reached() == [east.pod_address(0), east.pod_address(1)]
    assert all(path.stat().st_size for path in seen)
    # Told that the other one is active now, west sends to it at once, by the session that it has.
    moved = WIREGUARD.cables(west, east, keys=third, private_ip=new.private_ip, standbys=(old,))
    steps = WIREGUARD.program(west, moved)
    assert "FAILED" not in steps
    assert "route" in steps
    assert "peer" not in steps
    # What the old one sends arrives all the same; answers to it go to a node that knows no way to its pod here.
    before = datagrams(west.pods[1])
    assert reached()[1] == east.pod_address(1)
    assert datagrams(west.pods[1]) == before + 2
