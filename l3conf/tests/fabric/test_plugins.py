"""Every network plugin carries what its cluster needs, in every family, and shows its habits to who looks."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from ipaddress import IPv4Interface, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.capture.pcap import read_pcap
from l3conf.capture.session import Capture
from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.plugins.registry import PLUGINS
from l3conf.emulator.fabric.pod_wiring import PodRequest
from l3conf.emulator.kernel.links import add_address
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.emulator.kernel.routing import add_route
from l3conf.model.topology import IPFamily, NetworkPlugin
from l3conf.tests.fabric.topologies import one_inside_the_other, pair, six_only
from l3conf.tests.fabric.udp import error_of, is_dropped, seen_as
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from l3conf.emulator.kernel.namespaces import NetworkNamespace
    from l3conf.model.topology import IPAddress, Topology

every_plugin = pytest.mark.parametrize("plugin", list(NetworkPlugin), ids=lambda plugin: plugin.value)
WAN = (ip_address("192.0.2.3"), ip_address("2001:db8::3"))
"""The outsider."""
SIOCGIFMTU = 0x8921
UDP = 17
SPOKEN_FOR = ip_address("198.51.100.7")
"""An address that nothing in the lab has: for links of an implementation to come."""


def reach_each_other(topology: Topology) -> None:
    with Fabric.build(topology) as fabric:
        requests = [
            PodRequest("east", "east-1", "a"),
            PodRequest("east", "east-1", "b"),
            PodRequest("east", "east-2", "c"),
        ]
        (one, own), (near, beside), (far, away) = fabric.add_pods(requests)
        for here, source, there in zip(own, beside, away, strict=True):
            assert seen_as(near, one, here) == str(source)
            assert seen_as(one, far, there) == str(here)
            assert seen_as(far, one, here) == str(there)


def test_every_plugin_that_a_file_can_name_has_a_module() -> None:
    assert set(PLUGINS) == set(NetworkPlugin)


@every_plugin
@sandboxed
def test_pods_reach_pods_here_and_on_other_nodes_as_themselves_in_both_families(plugin: NetworkPlugin) -> None:
    reach_each_other(pair(dual=True, plugin=plugin))


@every_plugin
@sandboxed
def test_pods_reach_pods_without_any_ipv4(plugin: NetworkPlugin) -> None:
    reach_each_other(six_only(plugin))


@pytest.mark.parametrize("family", list(IPFamily), ids=lambda family: family.value)
@sandboxed
def test_an_overlay_carries_both_families_over_a_lan_of_one(family: IPFamily) -> None:
    reach_each_other(one_inside_the_other(lan_family=family))


@every_plugin
@sandboxed
def test_the_outsider_sees_the_node_of_a_pod_and_reaches_pods(plugin: NetworkPlugin) -> None:
    with Fabric.build(pair(dual=True, plugin=plugin)) as fabric:
        pod, addresses = fabric.add_pod("east", "east-2", "a")
        outsider = fabric.namespace("@outsider")
        assert [seen_as(pod, outsider, address) for address in WAN] == ["172.16.1.11", "fd01:1::b"]
        assert [seen_as(outsider, pod, address) for address in addresses] == list(map(str, WAN))


@every_plugin
@sandboxed
def test_nodes_and_pods_reach_each_other_in_both_families(plugin: NetworkPlugin) -> None:
    with Fabric.build(pair(dual=True, plugin=plugin)) as fabric:
        (local, own), (remote, away) = fabric.add_pods(
            [PodRequest("east", "east-1", "a"), PodRequest("east", "east-2", "b")]
        )
        node = fabric.namespace("east@east-1")
        for address in own:
            seen_as(node, local, address)
        for address in away:
            seen_as(node, remote, address)
        for address in (ip_address("172.16.1.10"), ip_address("fd01:1::a")):
            seen_as(local, node, address)
            seen_as(remote, node, address)


@every_plugin
@sandboxed
def test_a_service_address_reaches_pods_of_this_and_of_other_nodes_in_both_families(plugin: NetworkPlugin) -> None:
    with Fabric.build(pair(dual=True, plugin=plugin)) as fabric:
        requests = [
            PodRequest("east", "east-1", "a"),
            PodRequest("east", "east-1", "b"),
            PodRequest("east", "east-2", "c"),
        ]
        (one, own), (near, beside), (far, away) = fabric.add_pods(requests)
        for target, addresses in ((near, beside), (far, away)):
            fabric.load_ruleset("east@east-1", _service(addresses))
            sources = [
                _asked(one, target, service, address) for service, address in zip(SERVICES, addresses, strict=True)
            ]
            assert sources == list(map(str, own))


SERVICES = (ip_address("10.101.0.9"), ip_address("fd02:1::9"))


def _service(backends: tuple[IPAddress, ...]) -> str:
    tables = []
    for word, service, backend in zip(("ip", "ip6"), SERVICES, backends, strict=True):
        rule = f"{word} daddr {service} dnat to {backend}"
        chain = f"chain prerouting {{\n type nat hook prerouting priority dstnat\n {rule}\n }}"
        table = f"table {word} service"
        tables.append(f"add {table}\ndelete {table}\n{table} {{\n {chain}\n}}\n")
    return "".join(tables)


def _asked(source: NetworkNamespace, target: NetworkNamespace, service: IPAddress, backend: IPAddress) -> str:
    """Send to a Service and answer from its backend; return the source seen there."""
    family = socket.AF_INET if service.version == 4 else socket.AF_INET6
    with target.socket(family, socket.SOCK_DGRAM) as listener, source.socket(family, socket.SOCK_DGRAM) as sender:
        listener.bind((str(backend), 7000))
        for end in (listener, sender):
            end.settimeout(5)
        sender.connect((str(service), 7000))  # takes an answer from the Service's address only
        sender.send(b"ping")
        _, peer = listener.recvfrom(100)
        listener.sendto(b"pong", peer)
        assert sender.recv(100) == b"pong"
    return str(peer[0])


@every_plugin
@sandboxed
def test_no_pod_reaches_another_cluster_by_itself(plugin: NetworkPlugin) -> None:
    with Fabric.build(pair(plugin=plugin)) as fabric:
        pod, _ = fabric.add_pod("east", "east-1", "a")
        _, [remote] = fabric.add_pod("west", "west-1", "b")
        assert error_of(pod, remote) == errno.ENETUNREACH


@sandboxed
def test_a_capture_of_the_wan_shows_ipv6_between_sites_once(tmp_path: Path) -> None:
    with Fabric.build(six_only(NetworkPlugin.BRIDGE)) as fabric:
        east, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
        with Capture(fabric.namespace("wan"), "wan", tmp_path / "wan.pcap") as capture:
            assert seen_as(east, west, ip_address("fd01:2::a")) == "fd01:1::a"
    with capture.path.open("rb") as stream:
        frames = [frame.data for frame in read_pcap(stream)]
    assert [data[62:] for data in frames if data[12:14] == b"\x86\xdd" and data[20] == UDP] == [b"ping", b"pong"]


@sandboxed
def test_pods_of_an_overlay_have_its_mtu() -> None:
    with Fabric.build(pair(plugin=NetworkPlugin.OVERLAY)) as fabric:
        assert _mtu(fabric.add_pod("east", "east-1", "a")[0], "eth0") == 1450
    with Fabric.build(six_only(NetworkPlugin.OVERLAY)) as fabric:
        node = fabric.namespace("east@east-1")
        assert [_mtu(node, link) for link in ("cni0", "overlay0", "eth0")] == [1430, 1430, 1500]


def _mtu(namespace: NetworkNamespace, link: str) -> int:
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock, SIOCGIFMTU, struct.pack("16si12x", link.encode(), 0))
    mtu: int = struct.unpack("16si12x", answer)[1]
    return mtu


@sandboxed
def test_a_routed_node_forwards_for_its_own_pods_only() -> None:
    """A gateway that relays between a worker and a tunnel is neither end of it: the firewall must be told."""
    with Fabric.build(pair(plugin=NetworkPlugin.ROUTED)) as fabric:
        pod, [address] = fabric.add_pod("east", "east-2", "a")
        gateway, outsider = fabric.namespace("east@east-1"), fabric.namespace("@outsider")
        _lead_through_gateway(fabric)
        assert is_dropped(pod, outsider, SPOKEN_FOR)
        fabric.load_ruleset("east@east-1", "insert rule ip filter FORWARD iifname eth0 oifname eth0 accept\n")
        assert seen_as(pod, outsider, SPOKEN_FOR) == "172.16.1.11"
        assert seen_as(gateway, pod, address)


@pytest.mark.parametrize("plugin", [NetworkPlugin.BRIDGE, NetworkPlugin.OVERLAY], ids=lambda plugin: plugin.value)
@sandboxed
def test_other_nodes_forward_whatever_comes(plugin: NetworkPlugin) -> None:
    with Fabric.build(pair(plugin=plugin)) as fabric:
        pod, _ = fabric.add_pod("east", "east-2", "a")
        _lead_through_gateway(fabric)
        assert seen_as(pod, fabric.namespace("@outsider"), SPOKEN_FOR) == "172.16.1.11"


def _lead_through_gateway(fabric: Fabric) -> None:
    """Give the outsider one more address and lead a worker's packets to it through the gateway node."""
    lead = ip_network(f"{SPOKEN_FOR}/32")
    hops = {
        "east@east-2": "172.16.1.10",
        "east@east-1": "172.16.1.1",
        "router:east": "192.0.2.3",
    }
    for key, via in hops.items():
        with RouteSocket(fabric.namespace(key)) as route:
            route.execute([add_route(lead, gateway=ip_address(via))])
    with RouteSocket(fabric.namespace("@outsider")) as route:
        route.execute([add_address(2, IPv4Interface(f"{SPOKEN_FOR}/32"))])


@sandboxed
def test_routed_nodes_check_the_reverse_path_of_every_link_strictly() -> None:
    expected = {NetworkPlugin.ROUTED: "1", NetworkPlugin.BRIDGE: "0", NetworkPlugin.OVERLAY: "0"}
    for plugin, value in expected.items():
        with Fabric.build(pair(plugin=plugin)) as fabric, fabric.namespace("east@east-1").entered():
            found = {
                name: Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").read_text()
                for name in ("all", "eth0", "default")
            }
        assert set(found.values()) == {f"{value}\n"}, plugin


@sandboxed
def test_a_routed_node_drops_what_comes_in_where_its_source_is_not() -> None:
    with Fabric.build(pair(plugin=NetworkPlugin.ROUTED)) as fabric:
        node, west = fabric.namespace("east@east-1"), fabric.namespace("west@west-1")
        assert seen_as(west, node, ip_address("172.16.1.10")) == "172.16.2.10"
        with RouteSocket(node) as route:  # from now on its source is expected elsewhere
            route.execute([add_route(ip_network("172.16.2.10/32"), link=1)])
        assert is_dropped(west, node, ip_address("172.16.1.10"))


@sandboxed
def test_a_routed_pod_hangs_on_a_host_route_and_leaves_nothing_behind() -> None:
    with Fabric.build(pair(dual=True, plugin=NetworkPlugin.ROUTED)) as fabric:
        pod, addresses = fabric.add_pod("east", "east-1", "a")
        node = fabric.namespace("east@east-1")
        assert [seen_as(node, pod, address) for address in addresses] == ["172.16.1.10", "fd01:1::a"]
        fabric.remove_pod("a")
        with node.entered():
            assert "pod2" not in Path("/proc/net/route").read_text()
            assert "pod2" not in Path("/proc/net/ipv6_route").read_text()
