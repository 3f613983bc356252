"""Which group a worker gets next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.plugin.collection import LATE
from l3conf.plugin.distribution import next_group

LABS = ("one", "two", "three")
GROUPS = (*LABS, *(f"{lab}{LATE}" for lab in LABS))


def test_late_groups_wait_for_all_others() -> None:
    assert next_group([f"one{LATE}", "two"], {"a": ["one"]}, "a") == "two"


def test_a_late_group_goes_to_the_worker_that_has_its_lab() -> None:
    assigned = {"a": ["one"], "b": ["two"]}
    assert next_group([f"one{LATE}", f"two{LATE}"], assigned, "b") == f"two{LATE}"
    assert next_group([f"one{LATE}"], assigned, "b") is None


def test_a_late_group_whose_worker_is_gone_goes_to_anybody() -> None:
    assert next_group([f"one{LATE}"], {"b": ["two"]}, "b") == f"one{LATE}"


@given(st.permutations(GROUPS), st.lists(st.integers(0, 2), min_size=30, max_size=30))
def test_every_group_is_run_once_whatever_the_order(groups: list[str], turns: list[int]) -> None:
    waiting, assigned = list(groups), {worker: list[str]() for worker in range(3)}
    for worker in (*turns, 0, 1, 2, 0, 1, 2):
        chosen = next_group(waiting, assigned, worker)
        if chosen is not None:
            waiting.remove(chosen)
            assigned[worker].append(chosen)
    for worker in (0, 1, 2) * len(GROUPS):
        chosen = next_group(waiting, assigned, worker)
        if chosen is not None:
            waiting.remove(chosen)
            assigned[worker].append(chosen)
    assert not waiting
    for lab in LABS:
        (owner,) = [worker for worker, had in assigned.items() if lab in had]
        assert f"{lab}{LATE}" in assigned[owner]
