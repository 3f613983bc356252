"""Whatever order lists and events come in, and however often, the newest word about each object counts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.mirror import STUBBORN, Mirror, Object


def item(name: str, version: int, **spec: str) -> Object:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "spec": spec}


def listed(*items: Object, version: int) -> Mirror:
    mirror = Mirror()
    assert mirror.list_arrived({one["metadata"]["name"]: one for one in items}, str(version))
    return mirror


@given(st.lists(st.sampled_from(["MODIFIED", "DELETED"]), min_size=1, max_size=8), st.integers())
def test_events_may_come_in_any_order_and_twice(kinds: list[str], seed: int) -> None:
    events = [(kind, item("a", 10 + number)) for number, kind in enumerate(kinds)]
    mirror = listed(item("a", 5), version=9)
    shuffled = [*events, *events]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - drawn by hypothesis
    for kind, obj in shuffled:
        mirror.event_arrived(kind, "a", obj)
    assert mirror.items == ({} if kinds[-1] == "DELETED" else {"a": events[-1][1]})


def test_what_is_older_than_the_list_is_in_the_list() -> None:
    mirror = listed(item("a", 5), version=9)
    assert not mirror.event_arrived("ADDED", "b", item("b", 7))
    assert not mirror.event_arrived("DELETED", "a", item("a", 8))
    assert [*mirror.items] == ["a"]


def test_a_repeated_event_changes_nothing() -> None:
    mirror = listed(version=9)
    assert mirror.event_arrived("ADDED", "a", item("a", 10))
    assert not mirror.event_arrived("ADDED", "a", item("a", 10))
    assert not mirror.event_arrived("BOOKMARK", "a", item("a", 11))


def test_a_list_from_the_past_is_not_believed_until_the_server_insists() -> None:
    mirror = listed(item("a", 5), version=9)
    mirror.event_arrived("MODIFIED", "a", item("a", 12))
    for _ in range(STUBBORN - 1):
        assert not mirror.list_arrived({}, "10")
        assert mirror.is_behind
        assert [*mirror.items] == ["a"]
    assert mirror.list_arrived({}, "10"), "a server restored from a backup must be followed in the end"
    assert not mirror.is_behind
    assert mirror.event_arrived("ADDED", "b", item("b", 11)), "its numbers count from now on"


def test_without_numbers_the_last_word_counts() -> None:
    mirror = Mirror()
    mirror.list_arrived({}, "opaque")
    obj = {"metadata": {"name": "a", "resourceVersion": "x7"}}
    assert mirror.event_arrived("ADDED", "a", obj)
    assert mirror.event_arrived("DELETED", "a", obj)


def test_tries_come_less_and_less_often_until_something_lasts() -> None:
    mirror = Mirror()
    pauses = [mirror.failed() for _ in range(8)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (mirror.first_retry, mirror.last_retry)
    mirror.lasted()
    assert mirror.failed() == mirror.first_retry


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (0.0, Mirror.first_retry)])
def test_a_server_that_asks_for_time_gets_it(asked: float, waited: float) -> None:
    assert Mirror().failed(asked) == waited
