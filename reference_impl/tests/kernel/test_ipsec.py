"""Cables of IPsec in namespaces, with a real IKE daemon on each gateway."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from reference_impl.agents import route_agent
from reference_impl.drivers.ipsec_kernel import kernel_has_ipsec
from reference_impl.drivers.key_file import KeyPair
from reference_impl.names import IPSEC_DEVICE
from reference_impl.state import KernelState
from reference_impl.tests.kernel.cluster_set import Site, build, configuration, converge
from reference_impl.tests.kernel.gateways import KEYS, MARKER, datagrams, listening, wait_for
from reference_impl.tests.kernel.ipsec_sites import IPSEC, child_spis, connected, missing, needs_daemon
from reference_impl.tests.kernel.sandbox import ask_tcp, ask_udp, sandboxed, shell

pytestmark = needs_daemon


@sandboxed
def test_the_kernel_carries_where_it_can() -> None:
    east, west, _ = connected()
    for site in (east, west):
        device = site.nodes[0].shell(f"ip -details link show {IPSEC_DEVICE}").split()
        assert ("xfrm" in device, "tun" in device) == (kernel_has_ipsec(), not kernel_has_ipsec())
        # ESP of the kernel shows in its own list of SAs, libipsec's does not.
        assert ("proto esp" in site.nodes[0].shell("ip xfrm state")) == kernel_has_ipsec()


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
        assert IPSEC.program(site, IPSEC.cables(site, other)) == ""


@sandboxed
def test_a_packet_that_is_too_big_is_told_so_with_the_cable_s_mtu_by_the_first_node() -> None:
    east, west, _ = connected()
    for pod in east.pods:
        answer = pod.shell(f"ping -c1 -W1 -Mdo -s1380 {west.pod_address(1)} 2>&1 || true")
        assert "mtu = 1400" in answer
        assert " 0% packet loss" in pod.shell(f"ping -c1 -W1 -Mdo -s1372 {west.pod_address(1)} 2>&1 || true")


@sandboxed
def test_a_small_link_that_nobody_is_told_of_carries_packets_in_fragments() -> None:
    east, west, router = connected()
    router.shell("ip link set lan2 mtu 1300; nft add table ip hidden")
    router.shell("nft 'add chain ip hidden errors { type filter hook output priority 0; icmp type 3 drop; }'")
    ask = partial(ask_udp, west.pod_address(1), payload=bytes(1340))
    assert [east.pods[1].run(ask) for _ in range(3)] == [east.pod_address(1)] * 3


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
    IPSEC.program(east, IPSEC.cables(east, west))
    wait_for(lambda: pod.run(ask) == east.pod_address(0))
    assert MARKER not in seen.read_bytes()
    # The control: the same marker in the clear is seen.
    east.nodes[0].run(lambda: ask_udp("172.16.2.10", payload=MARKER, seconds=0.2))
    wait_for(lambda: MARKER in seen.read_bytes())


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

    # The gateway of east sends, through its own tunnel, from an address of nobody's; west's filters are taken away.
    for table in ("submariner", "submariner-cable"):
        west.nodes[0].shell(f"nft delete table inet {table}")
    west.nodes[0].shell("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.ipsec0.rp_filter=0")
    east.nodes[0].shell("ip addr add 10.77.0.1/32 dev lo; nft flush ruleset")
    before = datagrams(west.pods[0])
    east.nodes[0].run(lambda: ask_udp(target, source="10.77.0.1", seconds=0.3))
    assert datagrams(west.pods[0]) == before
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(0)


@sandboxed
def test_a_member_that_knows_both_public_keys_is_not_let_in() -> None:
    east, west, _ = IPSEC.started()
    IPSEC.connect(east, west)
    # West's gateway is an impostor here: it has a key of its own, and says that it is west.
    impostor = KeyPair(bytes([7]) * 32)
    pretended = {1: KEYS[1], 2: impostor}
    assert "FAILED" not in IPSEC.program(west, IPSEC.cables(west, east, keys=pretended), key=impostor)
    log = Path(f"/run/{east.nodes[0].name}/log")
    wait_for(lambda: log.read_text().count("MAC mismatched") + log.read_text().count("AUTHENTICATION_FAILED") > 1)
    assert missing(east, west).count("=") == 4
    assert east.pods[0].run(lambda: ask_udp(west.pod_address(0), seconds=0.3)) != east.pod_address(0)


@sandboxed
def test_without_a_daemon_nothing_leaves_and_the_reason_is_said() -> None:
    east, west, _ = build()
    shell(f"mount -t tmpfs tmpfs /run; mkdir -p /run/charon /run/{east.nodes[0].name}")
    IPSEC.plan_nodes(east, west)
    said = IPSEC.program(east, IPSEC.cables(east, west))
    assert "no IKE daemon on this node" in said
    assert KEYS[1].private.hex() not in said
    assert "No route to host" in east.pods[1].run(lambda: ask_tcp(west.pod_address(1)))


@sandboxed
def test_cleaning_leaves_a_daemon_that_knows_nothing_and_no_trace_once_it_ended() -> None:
    east, west, _ = IPSEC.started()
    before = [configuration(node) for node in east.nodes]
    IPSEC.connect(east, west)
    IPSEC.connect(west, east)
    wait_for(lambda: missing(east, west) == "")
    assert "FAILED" not in IPSEC.program(east, lambda _: KernelState())
    for node in east.nodes:
        converge(node, route_agent.OWNERSHIP, lambda _: KernelState())
    assert IPSEC.program(east, lambda _: KernelState()) == ""
    wait_for(lambda: not child_spis(east))
    assert [configuration(node).replace(" mtu 1400", "") for node in east.nodes] == [
        text.replace(" mtu 1400", "") for text in before
    ]
