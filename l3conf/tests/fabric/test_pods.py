"""Laws of pod addresses."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.fabric.pods import QUARANTINE, PodOffsets
from l3conf.errors import LabError

SLICE = IPv4Network("10.1.0.0/24")


def test_the_lowest_free_offset_comes_first() -> None:
    offsets = PodOffsets("node", [SLICE])
    assert [offsets.take() for _ in range(3)] == [2, 3, 4]


def test_an_offset_given_back_is_not_reused_at_once_but_in_the_end() -> None:
    offsets = PodOffsets("node", [SLICE])
    first = offsets.take()
    offsets.give_back(first)
    later = []
    for _ in range(QUARANTINE + 1):
        later.append(offsets.take())
        offsets.give_back(later[-1])
    assert first not in later[:QUARANTINE]
    assert later[-1] == first


def test_a_full_node_says_so_and_recovers() -> None:
    offsets = PodOffsets("node", [IPv4Network("10.1.0.0/29")])
    taken = [offsets.take() for _ in range(5)]
    assert taken == [2, 3, 4, 5, 6]  # .1 is the bridge, .7 the broadcast address
    with pytest.raises(LabError, match="no pod address is left on node node"):
        offsets.take()
    offsets.give_back(4)
    assert offsets.take() == 4


@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=200))
def test_no_two_pods_ever_share_an_offset(steps: list[int | None]) -> None:
    """``None`` takes one; a number gives one of those in use back."""
    offsets = PodOffsets("node", [IPv4Network("10.1.0.0/27")])
    used: list[int] = []
    for step in steps:
        if step is not None and used:
            offsets.give_back(used.pop(step % len(used)))
        elif step is None and len(used) < 29:
            taken = offsets.take()
            assert taken not in used
            assert 2 <= taken <= 30
            used.append(taken)
