"""Which tests share a lab, where one lab would have too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.plugin.portions import Timed, portioned

TESTS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=40).map(
    lambda pairs: [Timed(f"t{number}", group, seconds) for number, (group, seconds) in enumerate(sorted(pairs))]
)


def test_a_long_group_is_cut_so_that_all_workers_have_something() -> None:
    tests = [Timed(f"t{number}", "a", 60.0) for number in range(8)]
    assert [*portioned(tests, (), 2).values()] == [f"a ({part} of 4)" for part in (1, 1, 2, 2, 3, 3, 4, 4)]


def test_short_groups_and_those_with_something_under_way_stay_whole() -> None:
    tests = [Timed("t1", "a", 400.0), Timed("t2", "a", 400.0), Timed("t3", "b", 10.0), Timed("t4", "b", 10.0)]
    assert portioned(tests, ("a",), 4) == {"t1": "a", "t2": "a", "t3": "b", "t4": "b"}


@given(TESTS)
def test_a_single_worker_has_whole_groups(tests: list[Timed]) -> None:
    assert portioned(tests, (), 1) == {test.test: test.group for test in tests}


@given(TESTS, st.integers(1, 9))
def test_every_test_is_in_one_portion_of_its_group_and_portions_follow_each_other(
    tests: list[Timed], workers: int
) -> None:
    groups = portioned(tests, (), workers)
    assert list(groups) == [test.test for test in tests]
    for test in tests:
        assert groups[test.test].partition(" (")[0] == test.group
    for group in {test.group for test in tests}:
        names = [groups[test.test] for test in tests if test.group == group]
        assert names == sorted(names, key=lambda name: int(name.partition("(")[2].partition(" ")[0] or 0))
