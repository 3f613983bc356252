from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.claims import Claims
from reference_impl.tests.planner.facts import overlap

if TYPE_CHECKING:
    from reference_impl.state import IPNetwork


@st.composite
def prefixes(draw: st.DrawFn) -> IPNetwork:
    """Few leading bits and all lengths, so that many are equal, nested or neighbours."""
    version, bits = draw(st.sampled_from([(4, 32), (6, 128)]))
    length = draw(st.integers(0, 6) | st.integers(bits - 3, bits))
    first = draw(st.integers(0, 7)) << (bits - 3) | draw(st.integers(0, 3))
    kept = first >> (bits - length) << (bits - length)
    return IPv4Network((kept, length)) if version == 4 else IPv6Network((kept, length))


@given(st.lists(st.tuples(st.sampled_from("abc"), prefixes())), prefixes())
def test_an_overlap_is_found_exactly_where_one_is(claims: list[tuple[str, IPNetwork]], asked: IPNetwork) -> None:
    known = Claims()
    for owner, prefix in claims:
        known.add(owner, [prefix])
    found = known.overlapping(asked)
    if found is None:
        assert not any(overlap(asked, prefix) for _, prefix in claims)
    else:
        assert found in claims
        assert overlap(asked, found[1])


def test_the_first_owner_of_a_prefix_keeps_it() -> None:
    known = Claims()
    known.add("old", [ip_network("10.0.0.0/8")])
    known.add("new", [ip_network("10.0.0.0/8")])
    assert known.overlapping(ip_network("10.1.0.0/16")) == ("old", ip_network("10.0.0.0/8"))
