from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.protocols.connection_names import cluster_of, plan_names

_keys = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)


def test_a_member_without_other_gateways_has_one_connection_under_its_own_name() -> None:
    assert plan_names("west", ["a"], []) == {"a": "west"}


def test_a_new_key_takes_the_place_of_the_one_that_it_replaces() -> None:
    assert plan_names("west", ["b"], [("west", "a")]) == {"b": "west"}
    assert plan_names("west", ["c", "b"], [("west", "a"), ("west+1", "b")]) == {"c": "west", "b": "west+1"}
    assert plan_names("west", ["c"], [("west+1", "b")]) == {"c": "west+1"}


def test_a_gateway_that_joins_takes_nobody_s_place() -> None:
    assert plan_names("west", ["a", "c"], [("west", "a"), ("west+1", "b")]) == {"a": "west", "c": "west+2"}


def test_connections_of_other_members_are_not_looked_at() -> None:
    assert plan_names("west", ["a"], [("west-2", "a"), ("east", "a")]) == {"a": "west"}


@given(st.lists(_keys, min_size=1, max_size=6))
def test_names_are_distinct_stay_with_their_keys_and_tell_the_member(moves: list[list[str]]) -> None:
    known: dict[str, str] = {}
    for keys in moves:
        names = plan_names("west", keys, [(name, key) for key, name in known.items()])
        assert sorted(names) == sorted(keys)
        assert len(set(names.values())) == len(names)
        assert {cluster_of(name) for name in names.values()} == {"west"}
        assert all(names[key] == known[key] for key in keys if key in known)
        known = dict(names)
