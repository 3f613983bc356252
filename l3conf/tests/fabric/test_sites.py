"""Small links and filters of sites act on packets as the topology says."""

from __future__ import annotations

import dataclasses
import errno
import socket
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.pod_wiring import PodRequest
from l3conf.model.site import NATKind, SiteSpec
from l3conf.tests.fabric.topologies import pair
from l3conf.tests.fabric.udp import SILENCE, client, seen_as, server
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.model.topology import IPAddress, Topology

IP_MTU, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 14, 10, 2  # ip(7); not in Python's socket module
IPV6_MTU, IP_TRANSPARENT = 24, 19
UDP_HEADERS = {4: 28, 6: 48}


def sites(east: SiteSpec | None = None, west: SiteSpec | None = None, *, dual: bool = False) -> Topology:
    """Return the pair on these sites."""
    topology = pair(dual=dual)
    one, two = topology.clusters
    return dataclasses.replace(
        topology,
        clusters=(
            dataclasses.replace(one, site=east or SiteSpec()),
            dataclasses.replace(two, site=west or SiteSpec()),
        ),
    )


def path_mtu(source: NetworkNamespace, address: IPAddress) -> int:
    """Send what fits Ethernet, unfragmented, until no router objects; return the MTU that the sender learnt."""
    with client(source, address) as sender:
        level, option = (socket.IPPROTO_IP, IP_MTU) if address.version == 4 else (socket.IPPROTO_IPV6, IPV6_MTU)
        if address.version == 4:
            sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        sender.settimeout(SILENCE)
        for _ in range(4):  # one hint a hop
            mtu = sender.getsockopt(level, option)
            sender.send(bytes(mtu - UDP_HEADERS[address.version]))
            try:
                sender.recv(100)
            except TimeoutError:
                break
            except OSError as error:
                assert error.errno == errno.EMSGSIZE  # noqa: PT017 - the error is the event
        return mtu


@sandboxed
@pytest.mark.parametrize("address", ["172.16.1.10", "fd01:1::a"])
def test_a_small_access_link_is_announced_in_both_directions(address: str) -> None:
    with Fabric.build(sites(east=SiteSpec(wan_mtu=1400), dual=True)) as fabric:
        there, back = ip_address(address), ip_address(address.replace("1.10", "2.10").replace("1::", "2::"))
        with server(fabric.namespace("east@east-1"), there), server(fabric.namespace("west@west-1"), back):
            assert path_mtu(fabric.namespace("west@west-1"), there) == 1400
            assert path_mtu(fabric.namespace("@outsider"), there) == 1400
            assert path_mtu(fabric.namespace("east@east-1"), back) == 1400
            assert path_mtu(fabric.namespace("@outsider"), back) == 1500


@sandboxed
def test_of_two_small_access_links_the_smaller_one_counts() -> None:
    """Also for a router whose own link is smaller than that of the site to which it sends."""
    with Fabric.build(sites(east=SiteSpec(wan_mtu=1300), west=SiteSpec(wan_mtu=1400))) as fabric:
        east, west = ip_address("172.16.1.10"), ip_address("172.16.2.10")
        with server(fabric.namespace("east@east-1"), east), server(fabric.namespace("west@west-1"), west):
            assert path_mtu(fabric.namespace("east@east-1"), west) == 1300
            assert path_mtu(fabric.namespace("west@west-1"), east) == 1300


@sandboxed
def test_a_small_lan_is_announced_by_its_router_and_known_to_its_nodes() -> None:
    with Fabric.build(sites(west=SiteSpec(lan_mtu=1420))) as fabric:
        west, node = ip_address("172.16.2.10"), fabric.namespace("west@west-1")
        with server(node, west), server(fabric.namespace("broker"), ip_address("192.0.2.2")):
            assert path_mtu(fabric.namespace("east@east-1"), west) == 1420
            assert path_mtu(node, ip_address("192.0.2.2")) == 1420
        assert seen_as(fabric.namespace("west@west-2"), node, west) == "172.16.2.11"


@sandboxed
def test_a_small_link_behind_nat_is_announced_too() -> None:
    with Fabric.build(sites(east=SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT, wan_mtu=1400))) as fabric:
        broker = ip_address("192.0.2.2")
        with server(fabric.namespace("broker"), broker):
            assert path_mtu(fabric.namespace("east@east-1"), broker) == 1400


@sandboxed
def test_filtered_icmp_errors_make_a_small_link_a_black_hole_for_what_is_too_big_only() -> None:
    with Fabric.build(sites(east=SiteSpec(wan_mtu=1400, filter_icmp_errors=True))) as fabric:
        broker = ip_address("192.0.2.2")
        with server(fabric.namespace("broker"), broker) as listener:
            assert path_mtu(fabric.namespace("east@east-1"), broker) == 1500
            listener.settimeout(SILENCE)
            with pytest.raises(TimeoutError):
                listener.recv(2000)
        assert seen_as(fabric.namespace("east@east-1"), fabric.namespace("broker"), broker) == "172.16.1.10"


@sandboxed
def test_a_filtered_cloud_carries_what_nodes_and_their_pods_send() -> None:
    with Fabric.build(sites(east=SiteSpec(filter_sources=True))) as fabric:
        (one, [first]), (two, [second]) = fabric.add_pods(
            [PodRequest("east", "east-1", "a"), PodRequest("east", "east-2", "b")]
        )
        assert seen_as(one, two, second) == str(first)
        assert seen_as(two, one, first) == str(second)
        assert seen_as(one, fabric.namespace("broker"), IPv4Address("192.0.2.2")) == "172.16.1.10"
        assert seen_as(fabric.namespace("@outsider"), two, second) == "192.0.2.3"


@sandboxed
@pytest.mark.parametrize("filtered", [True, False])
def test_a_filtered_cloud_drops_what_a_node_forwards_for_others(filtered: bool) -> None:  # noqa: FBT001 - a parameter
    with Fabric.build(sites(east=SiteSpec(filter_sources=filtered))) as fabric:
        gateway, worker = fabric.namespace("east@east-1"), fabric.namespace("east@east-2")
        remote, target = "10.2.0.7", ip_address("172.16.1.11")
        with server(worker, target) as listener, gateway.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
            sender.bind((remote, 7001))
            listener.settimeout(SILENCE)
            sender.sendto(b"forwarded", (str(target), 7000))
            if filtered:
                with pytest.raises(TimeoutError):
                    listener.recv(100)
            else:
                assert listener.recvfrom(100) == (b"forwarded", (remote, 7001))
