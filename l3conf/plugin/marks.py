"""Marks by which a scenario says what it proves and where it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.spec.catalogue import Requirement, find_requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.labs.base import Capability

_MARKS = (
    "verifies(requirement): the row of the specification that this test proves (a value: `verifies('L3-F5')`)",
    "topology(name): the cluster set that this test needs; built once and shared",
    "needs(*capabilities): what the lab must be able to do beyond the Kubernetes API; else the row is untestable",
    "dismantles: leaves its lab without the implementation; runs last on it",
)


def declare(config: pytest.Config) -> None:
    """Tell pytest of the marks, for ``--strict-markers`` and ``--markers``."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


def verifies(requirement_id: str) -> pytest.MarkDecorator:
    """Tie a test to a row. An unknown id is an error where the mark is written, so at collection."""
    return pytest.mark.verifies(find_requirement(requirement_id))


def needs(*capabilities: Capability) -> pytest.MarkDecorator:
    """Say what a test asks of its lab."""
    return pytest.mark.needs(*capabilities)


def rows_of(item: pytest.Item) -> list[str]:
    """Return the ids of the requirements that a test verifies; empty for tests that are no scenarios."""
    return [row.id for row in requirements_of(item)]


def requirements_of(item: pytest.Item) -> list[Requirement]:
    """Return the requirements that a test verifies."""
    return [argument for mark in item.iter_markers("verifies") for argument in mark.args]


def topology_of(item: pytest.Item) -> str:
    """Return the topology that a test asks for. ``pytest.UsageError`` if a scenario names none."""
    mark = item.get_closest_marker("topology")
    if mark is None or not mark.args:
        raise pytest.UsageError(f"{item.nodeid}: a scenario needs @pytest.mark.topology(name)")
    return str(mark.args[0])


def capabilities_of(item: pytest.Item) -> Iterator[Capability]:
    """Yield what a test asks of its lab."""
    for mark in item.iter_markers("needs"):
        yield from mark.args
