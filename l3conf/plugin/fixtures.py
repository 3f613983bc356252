"""Fixtures of scenarios. All of them hand out labs that are built once a worker and shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.collection import Use
from l3conf.plugin.marks import capabilities_of, topology_of

if TYPE_CHECKING:
    from l3conf.model.implementation import Implementation
    from l3conf.plugin.lab import Lab
    from l3conf.plugin.pool import LabPool
    from l3conf.plugin.run import Run
    from l3conf.plugin.stages import Once
    from l3conf.spec.budgets import Budgets

RUN: pytest.StashKey[Run] = pytest.StashKey()
POOL: pytest.StashKey[Once[LabPool]] = pytest.StashKey()


@pytest.fixture(scope="session")
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Return the implementation under test."""
    return request.config.stash[RUN].implementation


@pytest.fixture(scope="session")
def budgets(request: pytest.FixtureRequest) -> Budgets:
    """Return the table of times of this run."""
    return request.config.stash[RUN].options.budgets


@pytest.fixture
def topology(request: pytest.FixtureRequest) -> str:
    """Return the name of the topology that a test runs on; a parameter where it runs on several."""
    return topology_of(request.node)


@pytest.fixture
def installed_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return the shared lab after ``deploy`` and ``join``; whether it connects is not asked."""
    lab = _pool(request).installed(topology, Use.SHARED)
    return _capable(lab, request)


@pytest.fixture
def lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return the shared lab, in which packets were seen to cross between all members. Look, do not disturb."""
    lab = _pool(request).connected(topology, Use.SHARED)
    return _capable(lab, request)


@pytest.fixture
def fresh_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return a lab in which packets were seen to cross, and that a test may cut and take apart."""
    lab = _pool(request).connected(topology, Use.DISTURBED)
    return _capable(lab, request)


@pytest.fixture
def quiet_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return a lab in which packets were seen to cross once; then the suite is silent for patient tests."""
    lab = _pool(request).connected(topology, Use.QUIET)
    return _capable(lab, request)


@pytest.fixture
def earlier_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return a lab at the version before the one under test, in which packets were seen to cross."""
    lab = _pool(request).connected(topology, Use.EARLIER)
    return _capable(lab, request)


def _pool(request: pytest.FixtureRequest) -> LabPool:
    return request.config.stash[POOL]()


def _capable(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """Skip a test whose lab lacks what it needs: the row is then untestable here, with this reason."""
    missing = [need.value for need in capabilities_of(request.node) if need not in lab.ground.capabilities]
    if missing:
        pytest.skip(f"the {lab.ground.kind} lab cannot do: {', '.join(missing)}")
    return lab
