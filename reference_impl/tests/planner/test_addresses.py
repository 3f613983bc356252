from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.addresses import address_within, next_hop, tunnel_mac
from reference_impl.state import InterfaceAddress


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_different_ipv4_underlays_have_different_hardware_addresses(left: int, right: int) -> None:
    assert (tunnel_mac(IPv4Address(left)) == tunnel_mac(IPv4Address(right))) == (left == right)


@given(st.integers(0, 2**128 - 1))
def test_hardware_addresses_are_local_and_unicast(value: int) -> None:
    for address in (IPv4Address(value & 0xFFFFFFFF), IPv6Address(value)):
        assert int(tunnel_mac(address)[:2], 16) & 3 == 2


def test_nodes_that_differ_in_the_first_octet_only_do_not_collide() -> None:
    assert tunnel_mac(ip_address("10.0.0.1")) != tunnel_mac(ip_address("172.0.0.1"))


def test_the_nodes_address_among_pods_is_found_on_whatever_device() -> None:
    addresses = [
        InterfaceAddress(device="eth0", address=ip_address("172.16.1.10"), mtu=1500),
        InterfaceAddress(device="any", address=ip_address("10.1.0.1"), mtu=1500),
    ]
    assert address_within(addresses, [ip_network("10.1.0.0/16")]) == ip_address("10.1.0.1")
    assert address_within(addresses, [ip_network("10.9.0.0/16")]) is None


def test_routes_over_ipv6_name_the_link_local_address_of_the_far_tunnel_whatever_the_underlay_is() -> None:
    four, six = ip_address("10.0.0.1"), ip_address("fd01::a")
    assert next_hop(four, 4) == four
    assert next_hop(four, 6) == ip_address("fe80::55:aff:fe00:1")
    assert tunnel_mac(four) == "02:55:0a:00:00:01"
    assert next_hop(six, 6).is_link_local
    assert next_hop(six, 4) == next_hop(six, 6)
    assert next_hop(six, 6) != next_hop(ip_address("fd01::b"), 6)
