from __future__ import annotations

import itertools

import pytest

from l3conf.plugin.stages import Once


def test_work_is_done_once_and_its_outcome_shared() -> None:
    counter = itertools.count(1)
    once = Once(lambda: next(counter))
    assert not once.succeeded
    assert (once(), once()) == (1, 1)
    assert once.succeeded


def test_a_failure_is_shared_without_trying_again() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise AssertionError("it never came")

    once = Once(work)
    seen = []
    for _ in range(3):
        with pytest.raises(AssertionError, match="it never came") as caught:
            once()
        seen.append(caught.value)
    assert len(calls) == 1
    assert seen[0] is seen[2]
    assert not once.succeeded


def test_an_interrupt_is_not_remembered() -> None:
    outcomes = iter([KeyboardInterrupt(), None])

    def work() -> str:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return "done"

    once = Once(work)
    with pytest.raises(KeyboardInterrupt):
        once()
    assert once() == "done"
