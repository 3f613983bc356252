"""IPv6 prefixes are translated as RFC 6296 has it."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.prefix_translation import (
    AmbiguousPrefixesError,
    neutral_subnet,
    plan_prefixes,
    plan_services,
    service_address,
    translated,
)

POOL = IPv6Network("2001:db8:1::/48")
subnets = st.integers(0, (1 << 64) - 1).map(lambda upper: IPv6Network((upper << 64, 64)))
pools = st.integers(0, (1 << 48) - 1).map(lambda upper: IPv6Network((upper << 80, 48)))


def checksum(address: IPv6Address) -> int:
    total = sum(int(address) >> shift & 0xFFFF for shift in range(0, 128, 16))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total % 0xFFFF


def test_the_example_of_the_rfc() -> None:
    """RFC 6296 section 2.2 and appendix B: FD01:0203:0405::/48 and 2001:0DB8:0001::/48."""
    assert translated(IPv6Address("fd01:203:405:1::1234"), POOL) == IPv6Address("2001:db8:1:d550::1234")


@given(subnets, pools, st.integers(0, (1 << 64) - 1))
def test_checksums_stay_and_so_does_the_rest_of_the_address(inside: IPv6Network, pool: IPv6Network, rest: int) -> None:
    address = IPv6Address(int(inside.network_address) | rest)
    outside = translated(address, pool)
    assert checksum(outside) == checksum(address)
    assert int(outside) & (1 << 64) - 1 == rest
    assert outside in pool


@given(st.integers(0, (1 << 56) - 1), pools)
def test_subnets_of_one_range_never_meet(upper: int, pool: IPv6Network) -> None:
    inside = IPv6Network((upper << 72, 56))
    found = {neutral_subnet(subnet, pool) for subnet in inside.subnets(new_prefix=64)}
    # One's complement has two zeros, and all ones is never written: at most one subnet is lost to that.
    assert len(found) >= 255


def test_what_nodes_give_to_pods_is_translated_and_nothing_else() -> None:
    ranges = [ip_network(text) for text in ("fd10:1::/64", "fd10:1:0:1::/80", "10.1.0.0/24")]
    found = plan_prefixes(ranges, POOL)
    assert sorted(found.values(), key=str) == [ip_network("fd10:1:0:1::/64"), ip_network("fd10:1::/64")]
    assert all(outside.subnet_of(POOL) for outside in found if isinstance(outside, IPv6Network))


@pytest.mark.parametrize(
    ("ranges", "pool", "words"),
    [
        (["fd10:1:0:1::/64", "fd11:1::/64"], POOL, "would both be"),
        (["fd10::/40"], POOL, "more than 4096"),
        (["fd10::/64"], IPv6Network("2001:db8:1::/56"), "longer than /48"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(ranges: list[str], pool: IPv6Network, words: str) -> None:
    with pytest.raises(AmbiguousPrefixesError, match=words):
        plan_prefixes(map(ip_network, ranges), pool)


def test_services_get_a_subnet_that_no_pod_can_ever_have() -> None:
    pods, services = ip_network("fd10:1::/56"), ip_network("fd11:1::/112")
    found = plan_services([pods], [services], POOL)
    (outside,) = found.values()
    assert isinstance(pods, IPv6Network)
    assert outside not in {neutral_subnet(subnet, POOL) for subnet in pods.subnets(new_prefix=64)}
    address = service_address(IPv6Address("fd11:1::8"), found)
    assert address is not None
    assert address in outside
    assert int(address) & 0xFFFF == 8
    assert service_address(IPv6Address("fd12::1"), found) is None


def test_pods_that_leave_no_subnet_are_said() -> None:
    with pytest.raises(AmbiguousPrefixesError, match="leave no subnet"):
        plan_services([ip_network("fd10:1::/48")], [ip_network("fd11:1::/112"), ip_network("fd12:1::/112")], POOL)
