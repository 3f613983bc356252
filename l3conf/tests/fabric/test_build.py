"""A built fabric carries packets as the plan says, and faults and pods come and go."""

from __future__ import annotations

import ctypes
import errno
import re
import resource
import shutil
import socket
import struct
import subprocess
import threading
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from l3conf.capture.pcap import read_pcap
from l3conf.capture.session import Capture
from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.pod_wiring import PodRequest
from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.tests.fabric.topologies import pair
from l3conf.tests.fabric.udp import PATIENCE, SILENCE, client, error_of, seen_as, server
from l3conf.tests.sandbox import sandboxed

AMOUNT = 4 << 20
COUNT = """table ip count {
    chain in { type filter hook prerouting priority 0; policy accept;
        tcp dport 7 counter
    }
}
"""
NFT = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nft"


def descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


def drop_capabilities() -> None:
    """Give up every capability for good (capset(2))."""
    header = struct.pack("=Ii", 0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


@sandboxed
def test_pods_reach_pods_of_their_cluster_as_themselves() -> None:
    with Fabric.build(pair()) as fabric:
        (one, [first]), (two, [second]), (near, [third]) = fabric.add_pods(
            [PodRequest("east", "east-1", "a"), PodRequest("east", "east-2", "b"), PodRequest("east", "east-1", "c")]
        )
        assert [str(first), str(second), str(third)] == ["10.1.0.2", "10.1.1.2", "10.1.0.3"]
        assert seen_as(one, two, second) == str(first)
        assert seen_as(near, one, first) == str(third)


@sandboxed
def test_pods_are_hidden_behind_their_node_when_they_leave_the_pod_range() -> None:
    with Fabric.build(pair()) as fabric:
        pod, _ = fabric.add_pod("east", "east-2", "a")
        broker = IPv4Address("192.0.2.2")
        assert seen_as(pod, fabric.namespace("broker"), broker) == "172.16.1.11"
        other = IPv4Address("172.16.2.10")
        assert seen_as(pod, fabric.namespace("west@west-1"), other) == "172.16.1.11"


@sandboxed
def test_no_pod_reaches_another_cluster_by_itself_and_the_wan_says_so() -> None:
    with Fabric.build(pair()) as fabric:
        pod, _ = fabric.add_pod("east", "east-1", "a")
        _, [remote] = fabric.add_pod("west", "west-1", "b")
        assert error_of(pod, remote) == errno.ENETUNREACH
        assert error_of(fabric.namespace("east@east-1"), remote) == errno.ENETUNREACH


@sandboxed
def test_the_outsider_reaches_pods_and_is_seen_as_itself() -> None:
    with Fabric.build(pair()) as fabric:
        pod, [address] = fabric.add_pod("west", "west-2", "a")
        assert seen_as(fabric.namespace("@outsider"), pod, address) == "192.0.2.3"


@sandboxed
def test_icmp_errors_are_not_rate_limited() -> None:
    with Fabric.build(pair()) as fabric:
        pod, [address] = fabric.add_pod("east", "east-1", "a")
        remote, west = ip_address("10.2.0.9"), fabric.namespace("west@west-1")
        assert [error_of(pod, remote) for _ in range(30)] == [errno.ENETUNREACH] * 30
        assert [error_of(fabric.namespace("@outsider"), address) for _ in range(30)] == [errno.ECONNREFUSED] * 30
        assert [error_of(pod, ip_address("172.16.2.10")) for _ in range(30)] == [errno.ECONNREFUSED] * 30
        assert error_of(west, ip_address("172.16.1.77")) == errno.EHOSTUNREACH


@sandboxed
def test_unprivileged_ping_sockets_work_in_pods() -> None:
    with Fabric.build(pair()) as fabric:
        pod, _ = fabric.add_pod("east", "east-1", "a")
        with pod.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as ping:
            ping.settimeout(PATIENCE)
            ping.sendto(b"\x08\x00\x00\x00\x00\x00\x00\x01hello", ("10.1.1.1", 0))
            assert ping.recv(100)[8:] == b"hello"


@sandboxed
def test_both_families_are_built_where_the_topology_has_both() -> None:
    with Fabric.build(pair(dual=True)) as fabric:
        one, own = fabric.add_pod("east", "east-1", "a")
        two, addresses = fabric.add_pod("east", "east-2", "b")
        for address, source in zip(addresses, own, strict=True):
            assert seen_as(one, two, address) == str(source)
        assert [str(address) for address in own] == ["10.1.0.2", "fd00:1::2"]
        broker = ip_address("2001:db8::2")
        assert seen_as(one, fabric.namespace("broker"), broker) == "fd01:1::a"


@sandboxed
def test_a_cut_drops_one_direction_of_an_established_flow_until_healed() -> None:
    with Fabric.build(pair()) as fabric:
        address = IPv4Address("172.16.2.10")
        east, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
        with server(west, address) as listener, client(east, address) as sender:
            sender.send(b"before")
            _, peer = listener.recvfrom(100)
            fabric.cut("east", "west")
            fabric.cut("east", "west")
            listener.settimeout(SILENCE)
            sender.send(b"lost")
            with pytest.raises(TimeoutError):
                listener.recv(100)
            listener.sendto(b"the other way", peer)
            assert sender.recv(100) == b"the other way"
            fabric.heal("east", "west")
            fabric.heal("east", "west")
            listener.settimeout(PATIENCE)
            sender.send(b"after")
            assert listener.recv(100) == b"after"


@sandboxed
def test_a_cut_spares_other_sites_and_lets_neighbours_find_each_other() -> None:
    with Fabric.build(pair()) as fabric:
        fabric.cut("east", "west")
        fabric.cut("broker", "west")
        east, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
        assert seen_as(east, fabric.namespace("broker"), IPv4Address("192.0.2.2")) == "172.16.1.10"
        # No neighbour is known yet on the WAN: were ARP cut as well, this would never get out.
        with server(east, IPv4Address("172.16.1.10")) as listener, client(west, IPv4Address("172.16.1.10")) as sender:
            sender.send(b"hello")
            assert listener.recv(100) == b"hello"
        with server(west, IPv4Address("172.16.2.10")) as listener:
            listener.settimeout(SILENCE)
            with client(fabric.namespace("broker"), IPv4Address("172.16.2.10")) as sender:
                sender.send(b"lost")
                with pytest.raises(TimeoutError):
                    listener.recv(100)


@sandboxed
def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with Fabric.build(pair()) as fabric:
        with pytest.raises(LabError, match=r"no site 'north'.*east, west, broker"):
            fabric.cut("north", "east")
        with pytest.raises(LabError, match=r"no 'east@east-9'.*east@east-1"):
            fabric.add_pod("east", "east-9", "a")


@sandboxed
def test_adding_a_pod_twice_gives_the_same_pod() -> None:
    with Fabric.build(pair()) as fabric:
        request = PodRequest("east", "east-1", "a")
        first, again = fabric.add_pods([request, request])
        assert first == again == fabric.add_pod("east", "east-1", "a")


@sandboxed
def test_a_removed_pod_is_silent_at_once_even_while_a_socket_holds_its_namespace() -> None:
    with Fabric.build(pair()) as fabric:
        pod, [address] = fabric.add_pod("east", "east-1", "a")
        node = fabric.namespace("east@east-1")
        with server(pod, address) as listener, client(node, address) as sender:
            sender.send(b"alive")
            assert listener.recv(100) == b"alive"
            fabric.remove_pod("a")
            fabric.remove_pod("a")
            listener.settimeout(SILENCE)
            sender.send(b"gone")
            with pytest.raises(TimeoutError):
                listener.recv(100)
        _, [fresh] = fabric.add_pod("east", "east-1", "b")
        assert fresh != address


@sandboxed
def test_listeners_answer_in_their_namespace() -> None:
    with Fabric.build(pair()) as fabric:
        address = IPv4Address("172.16.1.2")
        pod, _ = fabric.add_pod("east", "east-2", "a")
        with fabric.listen("control-plane:east", address, 6443) as listener:
            assert not listener.getblocking()
            with pod.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
                caller.settimeout(PATIENCE)
                caller.connect((str(address), 6443))
                listener.settimeout(PATIENCE)
                connection, peer = listener.accept()
                connection.close()
        assert peer[0] == "172.16.1.11"
        with pytest.raises(LabError, match=r"control-plane:east: cannot listen on 192\.0\.2\.9:1"):
            fabric.listen("control-plane:east", IPv4Address("192.0.2.9"), 1)


@sandboxed
def test_pods_of_one_node_talk_through_their_nodes_own_stack() -> None:
    """Or answers to a Service's client on the same node would bypass kube-proxy's translation."""
    with Fabric.build(pair()) as fabric:
        one, [source] = fabric.add_pod("east", "east-1", "a")
        two, [address] = fabric.add_pod("east", "east-1", "b")
        fabric.load_ruleset(
            "east@east-1",
            f"""table ip service {{
                chain prerouting {{ type nat hook prerouting priority dstnat; ip daddr 10.101.0.1 dnat to {address}; }}
            }}
            """,
        )
        with server(two, address) as listener, client(one, IPv4Address("10.101.0.1")) as sender:
            sender.send(b"ping")
            _, peer = listener.recvfrom(100)
            listener.sendto(b"pong", peer)
            assert sender.recv(100) == b"pong"  # a connected socket takes it from the Service's address only
        assert peer[0] == str(source)


@sandboxed
def test_nodes_handle_what_arrives_together_as_one_and_the_wire_carries_what_fits_it() -> None:
    """Also a node that booted again; packets between pods of two nodes pass the LAN between them."""
    with Fabric.build(pair()) as fabric:
        fabric.unplug_node("east", "east-1")
        fabric.boot_node("east", "east-1")
        (one, [first]), (two, _) = fabric.add_pods(
            [PodRequest("east", "east-1", "a"), PodRequest("east", "east-2", "b")]
        )
        fabric.load_ruleset("east@east-1", COUNT)
        with one.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((str(first), 7))
            listener.listen()
            with two.socket(socket.AF_INET, socket.SOCK_STREAM) as sender:
                sender.connect((str(first), 7))
                receiver, _ = listener.accept()
                threading.Thread(target=sender.sendall, args=(bytes(AMOUNT),)).start()
                left = AMOUNT
                while left:
                    left -= len(receiver.recv(left))
                receiver.close()
        with fabric.namespace("east@east-1").entered():
            table = subprocess.run([NFT, "list", "table", "ip", "count"], capture_output=True, text=True, check=True)
            links = Path("/proc/thread-self/net/dev").read_text()
        counted = re.search(r"packets (\d+) bytes (\d+)", table.stdout)
        carried = re.search(r"eth0: *(\d+) +(\d+)", links)
        assert counted is not None
        assert carried is not None
        assert int(counted[2]) > AMOUNT > 2 * 1500 * int(counted[1])
        assert AMOUNT < int(carried[1]) <= 1514 * int(carried[2])


@sandboxed
def test_a_capture_of_the_wan_shows_each_frame_between_sites_once(tmp_path: Path) -> None:
    with Fabric.build(pair()) as fabric:
        east, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
        with Capture(fabric.namespace("wan"), "wan", tmp_path / "wan.pcap") as capture:
            seen_as(east, west, IPv4Address("172.16.2.10"))
    with capture.path.open("rb") as stream:
        # Hosts also report the multicast groups that they are in, whenever they like.
        udp = [frame.data for frame in read_pcap(stream) if frame.data[12:14] == b"\x08\x00" and frame.data[23] == 17]
    sent = [data[42:] for data in udp]
    assert sent == [b"ping", b"pong"]


@sandboxed
def test_ten_nodes_and_fifty_pods_lose_no_first_packet() -> None:
    """A first neighbour request can meet a bridge port that does not forward yet; it must be repeated quickly."""
    with Fabric.build(pair(nodes=5)) as fabric:
        nodes = [(spec.name, node.name) for spec in fabric.topology.clusters for node in spec.nodes]
        requests = [PodRequest(*node, f"{node[1]}-{number}") for node in nodes for number in range(5)]
        pods = fabric.add_pods(requests)
        for (source, _), (destination, [address]) in zip(pods[:25], pods[24::-1], strict=True):
            seen_as(source, destination, address)


@sandboxed
def test_closing_lets_go_of_every_descriptor() -> None:
    before = descriptors()
    fabric = Fabric.build(pair())
    fabric.add_pod("east", "east-1", "a")
    fabric.close()
    fabric.close()
    assert descriptors() == before


@sandboxed
def test_running_out_of_descriptors_names_the_remedy_and_leaves_none_open() -> None:
    before = descriptors()
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 8, len(before) + 8))
    with pytest.raises(MissingPrerequisiteError, match="ulimit -n"):
        Fabric.build(pair())
    assert descriptors() == before


@sandboxed
def test_a_pod_that_cannot_be_connected_can_be_tried_again() -> None:
    with Fabric.build(pair()) as fabric:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(descriptors()) + 4, limits[1]))
        requests = [PodRequest("east", "east-1", str(number)) for number in range(6)]
        with pytest.raises(MissingPrerequisiteError):
            fabric.add_pods(requests)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        (one, _), *_, (two, [address]) = fabric.add_pods(requests)
        seen_as(one, two, address)


@sandboxed
def test_nodes_look_as_the_bridge_plugin_leaves_them() -> None:
    with Fabric.build(pair()) as fabric, fabric.namespace("east@east-1").entered():
        rules = subprocess.run([NFT, "list", "ruleset"], check=True, capture_output=True, text=True).stdout
        assert "table ip l3conf-cni" in rules
        assert "type nat hook postrouting priority srcnat; policy accept;" in rules
        assert "ip saddr 10.1.0.0/16 ip daddr != 10.1.0.0/16 masquerade" in rules
        assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
        assert Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").read_text() == "1\n"


@sandboxed
def test_without_privilege_the_remedy_is_named() -> None:
    drop_capabilities()
    with pytest.raises(MissingPrerequisiteError, match="run in a user namespace, or as root"):
        Fabric.build(pair())
