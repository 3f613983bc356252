"""Every wait is a named condition with a bound from the table of budgets, and says what it measured.

A condition that comes true too late is a finding of its own ("came true 0.8 s after the deadline"), so polling
goes on for a short while after it. What the wait measured is recorded whether it was in time or not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LATE_WINDOW = 1.0
"""Seconds for which a condition is watched after its deadline. With the diagnosis that follows, a failing test
ends within 2 s of its budget."""
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.25
"""Seconds between two looks: short at first, since most conditions are true at once."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A row of the table of budgets as this run has it."""

    name: str
    """Name in the table, e.g. ``T_join``."""
    seconds: float
    """How long the condition may take."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The answer of a look at a condition that does not hold yet."""

    reason: str
    """What is missing, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """What a wait measured."""

    condition: str
    budget: str
    allowed: float
    """Seconds."""
    took: float
    """Seconds until the condition held, or until the wait was given up."""
    held: bool
    """Whether the condition came true at all, in time or late."""

    @property
    def in_time(self) -> bool:
        """Whether it came true within its budget."""
        return self.held and self.took <= self.allowed


class DeadlineMissedError(AssertionError):
    """A condition did not come true within its budget: the implementation's failure, not the lab's."""

    def __init__(self, waited: Waited, reason: str, last: Pending | None) -> None:
        super().__init__(reason)
        self.waited = waited
        self.last = last


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as waits use it; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_until(
    condition: str,
    look: Callable[[], T | Pending],
    budget: Bound,
    *,
    record: Callable[[Waited], None] = lambda _waited: None,
    clock: Clock = Clock(),
    started: float | None = None,
) -> T:
    """Look until the condition holds and return what ``look`` then returned.

    ``look`` must itself be bounded. ``started`` (on ``clock``) counts the budget from an earlier moment, such as
    the end of a hook. Raises ``DeadlineMissedError`` at the budget, at most ``LATE_WINDOW`` after it; errors of
    ``look`` pass through.
    """
    began = clock.now() if started is None else started
    pause, lacked = FIRST_PAUSE, ""
    while True:
        answer = look()
        took = clock.now() - began
        waited = Waited(
            condition=condition,
            budget=budget.name,
            allowed=budget.seconds,
            took=took,
            held=not isinstance(answer, Pending),
        )
        if not isinstance(answer, Pending):
            record(waited)
            if waited.in_time:
                return answer
            late = f"{condition}: came true {took - budget.seconds:.1f} s after the deadline"
            raise DeadlineMissedError(waited, f"{late} ({budget.name} = {budget.seconds:g} s){lacked}", None)
        if took >= budget.seconds + LATE_WINDOW:
            record(waited)
            missed = f"{condition}: not true within {budget.name} = {budget.seconds:g} s"
            raise DeadlineMissedError(waited, f"{missed}; {answer.reason}", answer)
        lacked = f"; what was missing until then: {answer.reason}"
        clock.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
