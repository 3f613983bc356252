"""Labs whose tests would keep one worker busy while the others have nothing left are built by several of them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

_SHARES = 2
"""Groups that each worker should have at least: the longest one, and something to fill the end with."""
_WORTH_A_LAB = 60.0
"""Seconds of tests for which another lab is worth its building."""


class Timed(NamedTuple):
    """A test, the group that shares its lab, and the seconds that it is expected to take."""

    test: str
    group: str
    seconds: float


def portioned(tests: Sequence[Timed], whole: Container[str], workers: int) -> dict[str, str]:
    """Return the group of each test, long groups cut into portions of consecutive tests that have names of their own.

    ``whole``: groups that stay as they are, because their lab remembers what tests later ask for; ``workers``: how many
    there are, 1 or more. Pure; whoever has the same tests gets the same portions.
    """
    most = max(_WORTH_A_LAB, sum(test.seconds for test in tests) / (workers * _SHARES))
    groups: dict[str, str] = {}
    for group in dict.fromkeys(test.group for test in tests):
        members = [test for test in tests if test.group == group]
        count = 1 if workers == 1 or group in whole else math.ceil(sum(test.seconds for test in members) / most)
        groups |= _cut(members, count) if count > 1 else {test.test: group for test in members}
    return groups


def _cut(tests: Sequence[Timed], count: int) -> dict[str, str]:
    """Cut one group where its seconds reach equal shares; a test belongs where its middle is."""
    total = sum(test.seconds for test in tests)
    ends = itertools.accumulate(test.seconds for test in tests)
    return {
        test.test: f"{test.group} ({min(count, 1 + int((end - test.seconds / 2) / total * count))} of {count})"
        for test, end in zip(tests, ends, strict=True)
    }
