"""Fixtures of scenarios. All of them hand out labs that are built once a worker and shared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.labs import foreseen_capabilities
from l3conf.plugin.collection import Use
from l3conf.plugin.literal_names import names_spelt_out
from l3conf.plugin.marks import capabilities_of, topology_of
from l3conf.plugin.parametrization import families_of, has_overlaps, names_of

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
    _check_before(request, topology)
    lab = _pool(request).installed(topology, Use.SHARED)
    return _fitting(lab, request)


@pytest.fixture
def lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return the shared lab, in which packets were seen to cross between all members. Look, do not disturb."""
    _check_before(request, topology)
    lab = _pool(request).connected(topology, Use.SHARED)
    return _fitting(lab, request)


@pytest.fixture
def fresh_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return a lab in which packets were seen to cross, and that a test may cut and take apart."""
    _check_before(request, topology)
    lab = _pool(request).connected(topology, Use.DISTURBED)
    return _fitting(lab, request)


@pytest.fixture
def quiet_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return a lab in which packets were seen to cross once; then the suite is silent for patient tests."""
    _check_before(request, topology)
    lab = _pool(request).connected(topology, Use.QUIET)
    return _fitting(lab, request)


@pytest.fixture
def earlier_lab(request: pytest.FixtureRequest, topology: str) -> Lab:
    """Return a lab at the version before the one under test, in which packets were seen to cross."""
    _check_before(request, topology)
    lab = _pool(request).connected(topology, Use.EARLIER)
    return _fitting(lab, request)


def _pool(request: pytest.FixtureRequest) -> LabPool:
    return request.config.stash[POOL]()


def _check_before(request: pytest.FixtureRequest, topology: str) -> None:
    """Skip a test that could prove nothing on its lab, before that is built."""
    _check_needs(request)
    _check_likeness(request, topology)


def _check_needs(request: pytest.FixtureRequest) -> None:
    """Skip a test whose lab will lack what it needs: the row is then untestable there, with this reason."""
    options = request.config.stash[RUN].options
    able = foreseen_capabilities(options.lab_kind, options.existing, options.of_kind)
    missing = [need.value for need in capabilities_of(request.node) if need not in able]
    if missing:
        pytest.skip(f"the {options.lab_kind} lab cannot do: {', '.join(missing)}")


def _check_likeness(request: pytest.FixtureRequest, topology: str) -> None:
    """Skip a test on a user's topology that lacks families of its own, or has ranges in common where those have not.

    Clusters with ranges in common are reached at addresses that are not their pods' own: what is asked of the others
    cannot be asked of these, and the reverse.
    """
    mark, root = request.node.get_closest_marker("topology"), request.config.rootpath
    if mark is None or topology in mark.args:
        return
    name, there = Path(topology).stem, families_of(topology, root)
    needed = set.intersection(*({*families_of(each, root)} for each in mark.args))
    if lacking := sorted(family.value for family in needed if family not in there):
        pytest.skip(f"it asks in {' and '.join(lacking)}, and not all clusters of {name} have that")
    is_so = has_overlaps(topology, root)
    if is_so not in {has_overlaps(each, root) for each in mark.args}:
        words = ("have ranges in common", "have ranges of their own")
        here, meant = words if is_so else reversed(words)
        pytest.skip(f"it is about clusters that {meant}, and those of {name} {here}")


def _fitting(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """Return a lab in which a test means something."""
    _check_names(lab, request)
    return lab


def _check_names(lab: Lab, request: pytest.FixtureRequest) -> None:
    """Skip a test that spells out names which its topology's clusters do not have on this ground."""
    there = {cluster.name for cluster in lab.topology.clusters}
    mark = request.node.get_closest_marker("topology")
    meant = {topology_of(request.node), *(mark.args if mark is not None else ())}
    asked = {name for topology in meant for name in names_of(topology, request.config.rootpath)} - there
    function, call = getattr(request.node, "function", None), getattr(request.node, "callspec", None)
    if asked and function is not None:
        spelt = sorted(asked & names_spelt_out(function, call.params if call else {}))
        if spelt:
            pytest.skip(f"it names {', '.join(spelt)}, and the clusters here are {', '.join(sorted(there))}")
