from __future__ import annotations

import pytest

from reference_impl.agents.last import Last


def test_the_same_question_is_worked_out_once_and_another_one_anew() -> None:
    worked: list[int] = []
    last: Last[int, int] = Last()

    def work_out(number: int) -> int:
        worked.append(number)
        return -number

    def ask(number: int) -> int:
        return last.answer(number, lambda: work_out(number))

    assert [ask(1), ask(1), ask(2), ask(1)] == [-1, -1, -2, -1]
    assert worked == [1, 2, 1]


def test_a_question_that_fails_is_asked_again() -> None:
    last: Last[int, int] = Last()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            last.answer(1, lambda: 1 // 0)
    assert last.answer(1, lambda: 5) == 5


def test_the_newest_of_equal_questions_is_kept() -> None:
    last: Last[object, int] = Last()
    compared: list[object] = []

    class Question:
        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return isinstance(other, Question)

        __hash__ = None  # type: ignore[assignment]

    first, second = Question(), Question()
    for each in (first, second, second):
        last.answer((each,), lambda: 1)
    assert len(compared) == 1  # the very same is equal at a glance
