"""Marks by which a scenario says what it proves and where it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.model.topology import IPFamily
from l3conf.spec.catalogue import Requirement, find_requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.labs.base import Capability

_MARKS = (
    "verifies(requirement): the row of the specification that this test proves (a value: `verifies('L3-F5')`)",
    "topology(*names): the cluster sets on which this test runs, each built once and shared",
    "needs(*capabilities): what the lab must be able to do beyond the Kubernetes API; else the row is untestable",
    "declared(*names): asked only of implementations with all these features and profiles; else no part of the row",
    "patient(what): needs what takes long and no work: begun as soon as its lab is connected, asked for at the end",
    "alone: does something at a rate that takes all of a small machine; runs last, on one worker",
    "dismantles: leaves its lab without the implementation; runs last on it",
)


def declare(config: pytest.Config) -> None:
    """Tell pytest of the marks, for ``--strict-markers`` and ``--markers``."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


def verifies(requirement_id: str, *, over_ipv6: str = "") -> pytest.MarkDecorator:
    """Tie a test to a row. An unknown id is an error where the mark is written, so at collection.

    Where the test runs with ``family`` IPv6 it proves the row ``over_ipv6`` instead, if there is one: what core asks
    for, only the profile ipv6 asks for over IPv6 alone.
    """
    rows = {"over_ipv6": find_requirement(over_ipv6)} if over_ipv6 else {}
    return pytest.mark.verifies(find_requirement(requirement_id), **rows)


def needs(*capabilities: Capability) -> pytest.MarkDecorator:
    """Say what a test asks of its lab."""
    return pytest.mark.needs(*capabilities)


def rows_of(item: pytest.Item) -> list[str]:
    """Return the ids of the requirements that a test verifies; empty for tests that are no scenarios."""
    return [row.id for row in requirements_of(item)]


def requirements_of(item: pytest.Item) -> list[Requirement]:
    """Return the requirements that a test verifies, with the parameters that it has."""
    six = _parameters(item).get("family") is IPFamily.IPV6
    rows = [(mark.kwargs.get("over_ipv6") if six else None, mark.args) for mark in item.iter_markers("verifies")]
    return [row for instead, usual in rows for row in ([instead] if instead is not None else usual)]


def topology_of(item: pytest.Item) -> str:
    """Return the topology that a test runs on. ``pytest.UsageError`` if a scenario names none."""
    chosen = _parameters(item).get("topology")
    if chosen is not None:
        return str(chosen)
    mark = item.get_closest_marker("topology")
    if mark is None or not mark.args:
        raise pytest.UsageError(f"{item.nodeid}: a scenario needs @pytest.mark.topology(name)")
    return str(mark.args[0])


def is_asked_of(item: pytest.Item, declared: frozenset[str] | None) -> bool:
    """Say whether a test is put to an implementation with these features and profiles (None: not known which)."""
    return declared is None or all({*mark.args} <= declared for mark in item.iter_markers("declared"))


def _parameters(item: pytest.Item) -> Mapping[str, object]:
    """Return what a test was parametrized with."""
    call = getattr(item, "callspec", None)
    return call.params if call is not None else {}


def capabilities_of(item: pytest.Item) -> Iterator[Capability]:
    """Yield what a test asks of its lab."""
    for mark in item.iter_markers("needs"):
        yield from mark.args
