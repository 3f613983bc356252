"""Which scenarios run, in what order, and on which worker.

Scenarios that share a lab form one xdist group, so that a worker builds it once; those that dismantle it come last.
What needs minutes but no work is begun when its lab is connected and asked for at the end of the run: late tests form
a group of their own for the same worker, which builds and uses other labs meanwhile.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.marks import is_asked_of, rows_of, topology_of
from l3conf.plugin.options import is_own_file

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from l3conf.plugin.options import RunOptions

LATE = " (late)"
"""End of the names of groups that come after everything else."""
ALONE = " (alone)"
"""End of the names of groups that come after those, when the other workers have ended."""


class Use(enum.StrEnum):
    """What tests do to their lab; labs that are used differently are different ones."""

    SHARED = ""
    """They look at it, and send packets."""
    DISTURBED = "disturbed"
    """They may cut, leave and rejoin."""
    QUIET = "quiet"
    """They send nothing between clusters until the silence that is begun for them is over."""
    EARLIER = "earlier"
    """They begin at the version before the one under test, and bring it to others."""


_USE_OF_FIXTURE = {"fresh_lab": Use.DISTURBED, "quiet_lab": Use.QUIET, "earlier_lab": Use.EARLIER}


def arrange(
    items: list[pytest.Item], options: RunOptions, config: pytest.Config, declared: frozenset[str] | None
) -> dict[str, list[str]]:
    """Filter, order and group the scenarios among ``items`` in place; other tests stay as they are, in front.

    Returns the rows of every scenario that was collected, those left out too; but not of those that are no part of
    a row for an implementation that has just these features and profiles ``declared`` (None: not known which).
    """
    strange = [item for item in items if not is_asked_of(item, declared)]
    if strange:
        config.hook.pytest_deselected(items=strange)
        items[:] = [item for item in items if is_asked_of(item, declared)]
    scenarios = [item for item in items if rows_of(item)]
    if not scenarios:
        return {}
    rows = {item.nodeid: rows_of(item) for item in scenarios}
    kept = [item for item in scenarios if _wanted(item, options)]
    if options.brief:
        kept = _on_first_grounds(kept)
    if len(kept) < len(scenarios):
        config.hook.pytest_deselected(items=[item for item in scenarios if item not in kept])
    late = late_tests(kept)
    kept.sort(key=lambda item: _position(item, late))
    for item in kept:
        item.add_marker(pytest.mark.xdist_group(group_of(item, late)))
    items[:] = [item for item in items if not rows_of(item)] + kept
    return rows


def _wanted(item: pytest.Item, options: RunOptions) -> bool:
    if options.topologies and topology_of(item) not in options.topologies:
        return False
    return not options.rows or bool(set(rows_of(item)) & set(options.rows))


def _on_first_grounds(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests on the first topology on which each function proves its rows; marks name the usual one first."""
    first: dict[tuple[str, str], str] = {}
    for item in items:
        for row in rows_of(item):
            first.setdefault((_function(item), row), topology_of(item))
    return [item for item in items if topology_of(item) in {first[_function(item), row] for row in rows_of(item)}]


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def late_tests(items: Iterable[pytest.Item]) -> frozenset[pytest.Item]:
    """Return the patient tests, and those that take apart a lab which patient ones still need."""
    scenarios = [item for item in items if rows_of(item)]
    waiting = {lab_of(item) for item in scenarios if is_patient(item)}
    return frozenset(item for item in scenarios if is_patient(item) or (_dismantles(item) and lab_of(item) in waiting))


def group_of(item: pytest.Item, late: Container[pytest.Item]) -> str:
    """Return the name of the group that a scenario is distributed with."""
    return f"{lab_of(item)}{LATE if item in late else ALONE if is_alone(item) else ''}"


def lab_of(item: pytest.Item) -> str:
    """Return the name of the lab that a scenario runs on."""
    return lab_name(topology_of(item), use_of(item))


def use_of(item: pytest.Item) -> Use:
    """Return what a scenario does to its lab."""
    fixtures = getattr(item, "fixturenames", ())
    return next((use for name, use in _USE_OF_FIXTURE.items() if name in fixtures), Use.SHARED)


def lab_name(topology: str, use: Use) -> str:
    """Return the name of a lab: those that are built alike are told apart by what tests do to them."""
    name = Path(topology).stem if is_own_file(topology) else topology
    return f"{name}-{use}" if use else name


def is_patient(item: pytest.Item) -> bool:
    """Whether a scenario asks for what is begun when its lab is connected."""
    return item.get_closest_marker("patient") is not None


def is_alone(item: pytest.Item) -> bool:
    """Whether a scenario does something at a rate that takes all of a small machine."""
    return item.get_closest_marker("alone") is not None


def patience(items: Iterable[pytest.Item]) -> dict[str, frozenset[str]]:
    """Return, by lab, what its patient tests ask for."""
    asked: dict[str, frozenset[str]] = {}
    for item in items:
        mark = item.get_closest_marker("patient")
        if mark is not None:
            asked[lab_of(item)] = asked.get(lab_of(item), frozenset()) | {*mark.args}
    return asked


def _dismantles(item: pytest.Item) -> bool:
    return item.get_closest_marker("dismantles") is not None


def _position(item: pytest.Item, late: Container[pytest.Item]) -> tuple[bool, bool, str, bool, bool, str]:
    """Return the place in the order: those alone last, late ones before them.

    Then by lab, dismantling last, patient before, else by requirement.
    """
    row = rows_of(item)[0]
    return (
        is_alone(item),
        item in late,
        lab_of(item),
        _dismantles(item),
        is_patient(item),
        f"{row[3]}{int(row[4:]):03d}",
    )
