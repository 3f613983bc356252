"""What may be wrong with many flows, on paper."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from l3conf.plugin.crowd import Crowd, Table, overflown, too_small

OWN, STRANGE = ip_address("100.64.0.2"), ip_address("192.0.2.1")
ONE, OTHER = ("pod", 1024), ("pod", 1025)
RIGHT = Crowd(first={ONE: (OWN, 1), OTHER: (OWN, 2)}, second={ONE: (OWN, 1)}, unanswered=frozenset())


def test_flows_that_keep_a_source_of_their_own_are_all_right() -> None:
    assert RIGHT.confused({OWN}) == []
    assert RIGHT.refused == 0


def test_flows_that_are_seen_as_strangers_as_each_other_or_not_as_before_are_named() -> None:
    assert replace(RIGHT, first={ONE: (STRANGE, 1)}, second={}).confused({OWN}) == [
        "pod port 1024 is seen as 192.0.2.1"
    ]
    (both,) = replace(RIGHT, first={ONE: (OWN, 1), OTHER: (OWN, 1)}).confused({OWN})
    assert both == "pod port 1025 and pod port 1024 are both seen as 100.64.0.2 port 1"
    moved = ["pod port 1024 is not seen any more as 100.64.0.2 port 1"]
    assert replace(RIGHT, second={ONE: (OWN, 9)}).confused({OWN}) == moved
    assert replace(RIGHT, changed=frozenset({ONE})).confused({OWN}) == moved


def test_a_gateway_without_room_for_the_flows_is_named_before_they_begin() -> None:
    assert too_small({"east-1": Table(10, 1000)}, 1000) == ""
    assert "east-2 tracks 999 flows at most" in too_small({"east-1": Table(10, 1000), "east-2": Table(0, 999)}, 1000)


def test_a_full_table_excuses_lost_flows_unless_there_was_room_for_several_times_as_many() -> None:
    assert "its table is full" in overflown({"east-1": Table(1800, 1900)}, 1000)
    assert overflown({"east-1": Table(1500, 1900)}, 1000) == ""
    assert overflown({"east-1": Table(4000, 4000)}, 1000) == ""
