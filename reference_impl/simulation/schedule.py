"""What happens in one run, as values drawn from a seed: it can be printed, replayed and made smaller."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import TYPE_CHECKING

from reference_impl.simulation.weather import Chances

if TYPE_CHECKING:
    from collections.abc import Callable

STORM = 60.0
"""Seconds from the begin in which things go wrong."""
_SIZES = ((2, 4), (3, 8), (5, 12), (10, 30), (50, 100), (100, 100))
_SHARES = (48, 32, 14, 4.5, 1, 0.5)
"""How often sets are of these sizes: most bugs need few members, and many members cost time."""
_COPIES = 0.15
"""Share of members that have the ranges of somebody."""


class What(Enum):
    """What befalls one member."""

    KILL = "its agents are killed, and restarted"
    CUT = "it cannot reach the broker for a while"
    REJOIN = "it leaves, and joins again with ranges of its own choice"
    LEAVE = "it leaves for good"
    ISOLATE = "a policy isolates it from another member"
    CONNECT = "all such policies about it are withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """One event of a storm."""

    at: float
    """Seconds from the begin."""
    what: What
    member: int
    other: int = 0
    """Another member, where two are meant."""
    seconds: float = 0.0
    """How long it lasts, or how long until a restart."""
    ranges: int = 0
    """Whose number its ranges have from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One run."""

    seed: int
    members: int
    ranges: tuple[int, ...]
    """For each member whose number its ranges have: the same number is an overlap."""
    forbidden: frozenset[tuple[int, int]]
    """Pairs that policies isolate from the begin to the end; there is a policy that connects all others."""
    chances: Chances
    disturbances: tuple[Disturbance, ...]


def draw(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    chance = random.Random(seed)  # noqa: S311 - to be replayed
    (least, most) = chance.choices(_SIZES, _SHARES)[0]
    size = chance.randint(least, most)
    ranges = tuple(chance.randrange(size) if chance.random() < _COPIES else number for number in range(size))
    pairs = {_pair(chance, size) for _ in range(chance.choice((0, 0, 1, size // 2)))}
    worst = chance.choice((0.02, 0.1, 0.3))
    chances = Chances(
        refused=chance.uniform(0, worst),
        unanswered=chance.uniform(0, worst),
        stale=chance.uniform(0, worst),
        lost=chance.uniform(0, worst),
        doubled=chance.uniform(0, worst),
        late=chance.uniform(0, worst),
        silent=chance.uniform(0, worst),
        broken=chance.uniform(0, worst) / 4,
        killed=chance.uniform(0, worst) / 4,
    )
    events = (_disturbance(chance, size, pairs) for _ in range(chance.randint(0, 12)))
    disturbances = tuple(sorted(events, key=lambda event: event.at))
    return Schedule(
        seed=seed,
        members=size,
        ranges=ranges,
        forbidden=frozenset(pairs),
        chances=chances,
        disturbances=disturbances,
    )


def _pair(chance: random.Random, size: int) -> tuple[int, int]:
    one, other = sorted(chance.sample(range(size), 2))
    return one, other


def _disturbance(chance: random.Random, size: int, forbidden: set[tuple[int, int]]) -> Disturbance:
    one, other = chance.sample(range(size), 2)
    # Who has ranges that nobody else began with may still meet somebody who chose the same.
    ranges = chance.choice((one, other, size % 100))
    kinds = [What.KILL, What.KILL, What.CUT, What.CUT, What.REJOIN, What.LEAVE]
    kinds += [What.ISOLATE, What.CONNECT] if forbidden else []
    return Disturbance(
        at=chance.uniform(0, STORM * 0.8),
        what=chance.choice(kinds),
        member=one,
        other=other,
        seconds=chance.uniform(0.5, 20),
        ranges=ranges,
    )


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """Return a smaller schedule that still fails: fewer disturbances first, then better weather, then fewer rules."""
    for event in reversed(schedule.disturbances):
        rest = tuple(each for each in schedule.disturbances if each is not event)
        schedule = _if_fails(schedule, replace(schedule, disturbances=rest), fails)
    for name in (each.name for each in fields(Chances)):
        better = replace(schedule.chances, **{name: 0.0})
        schedule = _if_fails(schedule, replace(schedule, chances=better), fails)
    return _if_fails(schedule, replace(schedule, forbidden=frozenset()), fails)


def _if_fails(schedule: Schedule, smaller: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    return smaller if smaller != schedule and fails(smaller) else schedule
