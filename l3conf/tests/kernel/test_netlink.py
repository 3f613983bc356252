"""Requests do in the kernel what they say, and refusals name the message; ``ip -json`` is the witness."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.kernel import attributes, routing
from l3conf.emulator.kernel.links import (
    LOOPBACK,
    Peer,
    add_address,
    add_bridge,
    add_veth,
    delete_address,
    delete_link,
    set_link,
)
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.kernel.netlink import NetlinkError, RouteSocket
from l3conf.model.topology import IPFamily
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from l3conf.emulator.kernel.request import Request

IP = shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin") or "ip"
BRIDGE, PORT, ETH0 = 3, 70_000, 2


def ip(namespace: NetworkNamespace, *arguments: str) -> list[dict[str, Any]]:
    with namespace.entered():
        output = subprocess.run([IP, "-json", "-details", *arguments], check=True, capture_output=True).stdout
    answer: list[dict[str, Any]] = json.loads(output or b"[]")
    return [entry for entry in answer if entry]


def execute(namespace: NetworkNamespace, *requests: Request) -> None:
    with RouteSocket(namespace) as route:
        route.execute(requests)


def pair(near: NetworkNamespace, far: NetworkNamespace) -> None:
    """Connect two namespaces: a bridge with a port in one, ``eth0`` in the other, everything up."""
    peer = Peer(namespace_fd=far.fd, name="eth0", index=ETH0, mac=b"\x0a\x58\x00\x00\x00\x02", mtu=1400)
    mac = b"\x0a\x58\x00\x00\x00\x01"
    execute(near, add_bridge("br0", BRIDGE, mac=mac), add_veth("port", PORT, peer, master=BRIDGE, mtu=1450))
    execute(far, set_link(ETH0, up=True))


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=6))
def test_attributes_are_parsed_back(values: dict[int, bytes]) -> None:
    encoded = b"".join(attributes.attribute(kind, payload) for kind, payload in values.items())
    assert len(encoded) % 4 == 0
    assert attributes.parse(encoded) == values


@given(st.binary(max_size=60))
def test_no_bytes_break_the_attribute_parser(data: bytes) -> None:
    attributes.parse(data)


@sandboxed
def test_a_veth_pair_is_made_in_place_with_both_ends_as_asked() -> None:
    with NetworkNamespace.create() as near, NetworkNamespace.create() as far:
        pair(near, far)
        port = next(link for link in ip(near, "link") if link["ifname"] == "port")
        eth0 = next(link for link in ip(far, "link") if link["ifname"] == "eth0")
    assert (port["ifindex"], port["master"], port["mtu"], port["num_tx_queues"]) == (PORT, "br0", 1450, 1)
    assert (eth0["ifindex"], eth0["mtu"], eth0["address"]) == (ETH0, 1400, "0a:58:00:00:00:02")
    assert "UP" in port["flags"]
    assert "UP" in eth0["flags"]


@sandboxed
def test_links_change_and_go() -> None:
    with NetworkNamespace.create() as near, NetworkNamespace.create() as far:
        pair(near, far)
        execute(near, set_link(PORT, up=False, mtu=1300, mac=b"\x02\0\0\0\0\x09"))
        port = next(link for link in ip(near, "link") if link["ifname"] == "port")
        assert ("UP" in port["flags"], port["mtu"], port["address"]) == (False, 1300, "02:00:00:00:00:09")
        execute(near, delete_link(PORT))
        assert {link["ifname"] for link in ip(far, "link")} == {"lo"}


@pytest.mark.parametrize("interface", ["10.1.2.3/24", "fd00:1::3/64"])
@sandboxed
def test_addresses_come_and_go(interface: str) -> None:
    wanted = ip_interface(interface)
    with NetworkNamespace.create() as near, NetworkNamespace.create() as far:
        pair(near, far)
        execute(far, add_address(ETH0, wanted))
        [found] = [a for a in ip(far, "addr", "show", "eth0")[0]["addr_info"] if a["scope"] == "global"]
        assert (found["local"], found["prefixlen"]) == (str(wanted.ip), wanted.network.prefixlen)
        assert not found.get("tentative")
        execute(far, delete_address(ETH0, wanted))
        assert [a for a in ip(far, "addr", "show", "eth0")[0]["addr_info"] if a["scope"] == "global"] == []


@sandboxed
def test_routes_carry_table_source_mtu_metric_and_kind() -> None:
    with NetworkNamespace.create() as near, NetworkNamespace.create() as far:
        pair(near, far)
        via, source = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
        execute(
            far,
            add_address(ETH0, ip_interface("10.0.0.2/24")),
            add_address(ETH0, ip_interface("fd00::2/64")),
            routing.add_route(IPv4Network("0.0.0.0/0"), gateway=via),
            routing.add_route(IPv4Network("10.9.0.0/16"), gateway=via, source=source, mtu=1380, metric=7, table=1000),
            routing.add_route(IPv4Network("10.8.0.0/16"), kind=routing.RouteKind.UNREACHABLE),
            routing.add_route(IPv4Network("10.7.0.0/16"), link=ETH0),
            routing.add_route(IPv6Network("fd01::/48"), gateway=IPv6Address("fd00::1")),
        )
        routes = {route["dst"]: route for route in ip(far, "route", "show", "table", "all") if "dst" in route}
        six = {route["dst"] for route in ip(far, "-6", "route")}
        assert routes["default"]["gateway"] == "10.0.0.1"
        own = routes["10.9.0.0/16"]
        assert (own["table"], own["prefsrc"], own["metric"], own["metrics"]) == (
            "1000",
            str(source),
            7,
            [{"mtu": 1380}],
        )
        assert routes["10.8.0.0/16"]["type"] == "unreachable"
        assert (routes["10.7.0.0/16"]["dev"], routes["10.7.0.0/16"]["scope"]) == ("eth0", "link")
        assert "fd01::/48" in six
        execute(far, routing.delete_route(IPv4Network("10.9.0.0/16"), table=1000))
        assert "10.9.0.0/16" not in {route["dst"] for route in ip(far, "route", "show", "table", "all")}


@sandboxed
def test_rules_match_source_destination_and_mark() -> None:
    with NetworkNamespace.create() as namespace:
        source, destination = IPv4Network("10.1.0.0/16"), IPv4Network("10.2.0.0/16")
        execute(
            namespace,
            routing.add_rule(150, version=4, table=1000, source=source, destination=destination, mark=0xC0),
            routing.add_rule(160, version=6, table=300),
        )
        [rule] = [rule for rule in ip(namespace, "rule") if rule["priority"] == 150]
        assert (rule["src"], rule["srclen"], rule["dst"], rule["dstlen"]) == ("10.1.0.0", 16, "10.2.0.0", 16)
        assert (rule["fwmark"], rule["table"]) == ("0xc0", "1000")
        assert 160 in {rule["priority"] for rule in ip(namespace, "-6", "rule")}
        execute(namespace, routing.delete_rule(150, version=4, table=1000))
        assert 150 not in {rule["priority"] for rule in ip(namespace, "rule")}


@sandboxed
def test_neighbours_come_and_go_and_are_asked_for_quickly() -> None:
    with NetworkNamespace.create() as near, NetworkNamespace.create() as far:
        pair(near, far)
        peer = IPv4Address("10.0.0.1")
        execute(far, routing.add_neighbour(ETH0, peer, b"\x02\0\0\0\0\x01"))
        [entry] = ip(far, "neigh")
        assert (entry["dst"], entry["lladdr"], entry["state"]) == (str(peer), "02:00:00:00:00:01", ["PERMANENT"])
        execute(far, routing.delete_neighbour(ETH0, peer))
        assert ip(far, "neigh") == []
        execute(far, routing.set_neighbour_timing(ETH0, IPFamily.IPV4, retransmit_ms=100, probes=50))
        with far.entered():
            argv = [IP, "-json", "ntable", "show", "dev", "eth0", "name", "arp_cache"]
            [table] = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
        assert (table["retrans"], table["mcast_probes"]) == (100, 50)


@sandboxed
def test_a_refusal_says_which_message_and_what_it_asked_for() -> None:
    with NetworkNamespace.create() as namespace, RouteSocket(namespace) as route:
        missing = routing.add_route(IPv4Network("10.0.0.0/8"), gateway=IPv4Address("192.0.2.1"))
        with pytest.raises(NetlinkError) as caught:
            route.execute([set_link(LOOPBACK, up=True), missing, delete_link(99)])
    assert (caught.value.errno, caught.value.position) == (errno.ENETUNREACH, 2)
    assert "message 2 of 3 (add unicast route 10.0.0.0/8 via 192.0.2.1" in str(caught.value)
    assert "invalid gateway" in str(caught.value)


@pytest.mark.parametrize("acknowledge_all", [False, True])
@sandboxed
def test_any_number_of_requests_fits_and_the_last_one_counts(acknowledge_all: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    addresses = [add_address(LOOPBACK, ip_interface((0x0A000000 + number, 32))) for number in range(3000)]
    with NetworkNamespace.create() as namespace:
        with RouteSocket(namespace, acknowledge_all=acknowledge_all) as route:
            route.execute(addresses)
            with pytest.raises(NetlinkError, match="message 3000 of 3000") as caught:
                route.execute([set_link(LOOPBACK, up=True)] * 2999 + [addresses[0]])
        assert caught.value.errno == errno.EEXIST
        assert len(ip(namespace, "-4", "addr", "show", "lo")[0]["addr_info"]) >= 3000


@sandboxed
def test_a_socket_works_on_after_a_refusal() -> None:
    with NetworkNamespace.create() as namespace, RouteSocket(namespace) as route:
        with pytest.raises(NetlinkError, match="message 1 of 3"):
            route.execute([delete_link(99), delete_link(98), set_link(LOOPBACK, up=True)])
        route.execute([set_link(LOOPBACK, up=False)])
        assert "UP" not in ip(namespace, "link")[0]["flags"]
