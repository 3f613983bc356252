"""Which group a worker gets next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.plugin.collection import ALONE, LATE
from l3conf.plugin.distribution import in_order, next_group
from l3conf.plugin.expected_seconds import LONG

LABS = ("one", "two", "three")
GROUPS = (*LABS, *(f"{lab}{LATE}" for lab in LABS), f"one{ALONE}", f"two{ALONE}")


def test_late_groups_wait_for_all_others() -> None:
    assert next_group([f"one{LATE}", "two"], {"a": ["one"]}, "a", is_last=False) == "two"


def test_a_late_group_goes_to_the_worker_that_has_its_lab() -> None:
    assigned = {"a": ["one"], "b": ["two"]}
    assert next_group([f"one{LATE}", f"two{LATE}"], assigned, "b", is_last=False) == f"two{LATE}"
    assert next_group([f"one{LATE}"], assigned, "b", is_last=False) is None


def test_a_late_group_whose_worker_is_gone_goes_to_anybody() -> None:
    assert next_group([f"one{LATE}"], {"b": ["two"]}, "b", is_last=False) == f"one{LATE}"


def test_what_is_to_run_alone_goes_to_the_last_worker() -> None:
    assigned = {"a": ["one"], "b": ["two"]}
    assert next_group([f"one{ALONE}", f"two{LATE}"], assigned, "b", is_last=True) == f"two{LATE}"
    assert next_group([f"one{ALONE}"], assigned, "b", is_last=False) is None
    assert next_group([f"one{ALONE}"], assigned, "b", is_last=True) == f"one{ALONE}"


def test_workers_begin_at_both_ends_after_what_is_asked_for_at_the_end() -> None:
    seconds = {"short": 5.0, "patient": LONG + 1, "long": 90.0, "medium": 30.0}
    groups = [*seconds, "unknown"]
    assert in_order(groups, seconds, 0) == ["patient", "long", "medium", "short", "unknown"]
    assert in_order(groups, seconds, 1) == ["patient", "unknown", "short", "medium", "long"]


@given(st.permutations(GROUPS), st.lists(st.integers(0, 2), min_size=30, max_size=30))
def test_every_group_is_run_once_whatever_the_order(groups: list[str], turns: list[int]) -> None:
    waiting, working = list(groups), [0, 1, 2]
    assigned = {worker: list[str]() for worker in working}
    for worker in (*turns, *(0, 1, 2) * len(GROUPS)):
        if worker not in working:
            continue
        chosen = next_group(waiting, assigned, worker, is_last=working == [worker])
        if chosen is None:
            working.remove(worker)
            continue
        assert not chosen.endswith(ALONE) or all(each.endswith(ALONE) for each in waiting)
        waiting.remove(chosen)
        assigned[worker].append(chosen)
    assert not waiting
    for lab in LABS:
        (owner,) = [worker for worker, had in assigned.items() if lab in had]
        assert f"{lab}{LATE}" in assigned[owner]
    assert sum(any(group.endswith(ALONE) for group in had) for had in assigned.values()) == 1
