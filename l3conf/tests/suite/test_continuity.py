"""What two records of a numbered flow say of the path between their ends."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.continuity import FlowRecord, NumberedFlow, Series, clean_since, continuity
from l3conf.probes.flow_messages import flow_from_json, flow_to_json, record_from_json, record_to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOW = NumberedFlow(id="00" * 8, source="a", destination=ip_address("10.0.2.2"), port=7100, receivers=("b",))
"""100 Hz."""
BEGAN = 5000.0


def record(emitted: Sequence[int], received: Sequence[int]) -> FlowRecord:
    """A sender that keeps its time; when packets arrive says nothing, only in which order."""
    return FlowRecord(
        flow=FLOW,
        emitted=Series(tuple(emitted), tuple(BEGAN + number * FLOW.period for number in emitted)),
        received=Series(tuple(received), tuple(BEGAN + index for index in range(len(received)))),
    )


def test_a_path_that_loses_nothing_has_no_gap() -> None:
    seen = continuity(record(range(100), range(100)))
    assert (seen.sent, seen.arrived, seen.lost, seen.longest_outage, seen.gaps) == (100, 100, 0, 0.0, ())


@pytest.mark.parametrize(("first", "last"), [(0, 4), (30, 59), (95, 99), (0, 99), (50, 50)])
def test_an_outage_lasts_as_long_as_its_missing_numbers_do(first: int, last: int) -> None:
    missing = range(first, last + 1)
    seen = continuity(record(range(100), [n for n in range(100) if n not in missing]))
    (gap,) = seen.gaps
    assert (gap.first, gap.last, gap.missing) == (first, last, len(missing))
    assert seen.longest_outage == pytest.approx(len(missing) * FLOW.period)
    assert gap.began == pytest.approx(BEGAN + first * FLOW.period)


def test_numbers_that_a_late_sender_left_out_are_no_loss_but_a_silence() -> None:
    emitted = [*range(20), *range(50, 100)]
    seen = continuity(record(emitted, emitted))
    assert (seen.lost, seen.longest_outage) == (0, 0.0)
    assert seen.silence == pytest.approx(31 * FLOW.period)


def test_an_outage_spans_the_silence_in_it() -> None:
    emitted = [n for n in range(100) if not 40 <= n < 50]
    seen = continuity(record(emitted, [n for n in emitted if not 30 <= n < 60]))
    assert seen.lost == 20
    assert seen.longest_outage == pytest.approx(30 * FLOW.period)


def test_duplicates_are_counted_and_do_not_hide_a_loss() -> None:
    seen = continuity(record(range(5), [0, 1, 1, 1, 3, 3, 4]))
    assert (seen.duplicated, seen.lost, seen.reordered) == (3, 1, 0)


def test_reordering_is_counted_as_in_rfc_4737() -> None:
    seen = continuity(record(range(8), [0, 1, 4, 5, 2, 3, 7, 6]))
    assert seen.reordered == 3  # 2, 3 and 6 come after greater ones
    assert seen.extent == 3  # 3 comes three arrivals after 4
    assert (seen.lost, seen.duplicated) == (0, 0)


def test_a_window_judges_only_its_own_numbers() -> None:
    lossy = record(range(100), [*range(10, 90)])
    assert continuity(lossy, since=10, until=90).lost == 0
    assert continuity(lossy, since=10).lost == 10
    assert continuity(lossy, until=90).lost == 10


def test_numbers_that_were_never_sent_count_for_nothing() -> None:
    assert continuity(record(range(3), [0, 1, 2, 9000])).arrived == 3
    assert continuity(record([], [])).gaps == ()


@given(st.lists(st.integers(0, 60), max_size=120))
def test_every_number_is_either_lost_or_arrived(received: list[int]) -> None:
    seen = continuity(record(range(50), received))
    assert seen.lost + seen.arrived == seen.sent == 50
    assert seen.arrived + seen.duplicated == sum(n < 50 for n in received)
    assert sum(gap.last - gap.first + 1 for gap in seen.gaps) == seen.lost
    assert seen.extent >= (seen.reordered > 0)


@given(st.permutations(range(30)))
def test_reordering_is_none_exactly_for_the_order_sent(order: list[int]) -> None:
    seen = continuity(record(range(30), order))
    assert (seen.reordered == 0) == (order == sorted(order))
    assert seen.extent < 30


@pytest.mark.parametrize(
    ("received", "clean"),
    [
        (range(100), True),
        (range(97), True),  # the newest are still under way
        (range(60, 100), True),  # what was lost at first is past
        ([*range(90), *range(91, 100)], False),
        (range(80, 100), False),  # too short
        ([], False),
    ],
)
def test_a_flow_is_clean_once_a_stretch_up_to_its_newest_arrival_is_complete(
    received: Sequence[int],
    clean: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert clean_since(record(range(100), list(received)), 0.3) is clean


def test_flows_and_records_survive_their_journey_as_json() -> None:
    assert flow_from_json(flow_to_json(FLOW)) == FLOW
    sent = record([0, 1, 1 << 40], [1, 0])
    back = record_from_json(FLOW, record_to_json(sent))
    assert [list(back.emitted.numbers), list(back.received.numbers)] == [[0, 1, 1 << 40], [1, 0]]
    assert list(back.emitted.times) == list(sent.emitted.times)
    for broken in ({}, {**flow_to_json(FLOW), "id": "no hex"}, {**flow_to_json(FLOW), "receivers": None}):
        with pytest.raises(ValueError, match=r"no numbered flow|hex"):
            flow_from_json(broken)
