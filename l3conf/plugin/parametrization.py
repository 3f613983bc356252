"""Topologies and address families as parameters: one scenario text, run wherever it must hold.

A scenario names the cluster sets on which it proves something. If it takes a ``family``, it runs once for each that
all clusters of the set have, so that none is forgotten and no scenario asks what a cluster does not have.
"""

from __future__ import annotations

import functools
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.model.topology import IPFamily
from l3conf.oracle import meet
from l3conf.plugin.options import topology_file
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from _pytest.mark import ParameterSet

TOPOLOGY, FAMILY = "topology", "family"


def parametrize(metafunc: pytest.Metafunc, own: Sequence[str]) -> None:
    """Give a scenario its topologies and their families, unless it chooses families itself.

    ``own``: files of the user's, on which it runs instead, if there are any: in families in which it runs on some of
    its own, since what it asks may not be asked in another one.
    """
    mark = metafunc.definition.get_closest_marker("topology")
    if mark is None or TOPOLOGY not in metafunc.fixturenames:
        return
    chosen = {name for one in metafunc.definition.iter_markers("parametrize") for name in _names(one.args[0])}
    names = own or mark.args
    if FAMILY in metafunc.fixturenames and FAMILY not in chosen:
        meant = {family for name in mark.args for family in families_of(name, metafunc.config.rootpath)}
        cases = [case for name in names for case in _cases(name, meant, metafunc.config.rootpath)]
        metafunc.parametrize((TOPOLOGY, FAMILY), cases)
    elif len(mark.args) > 1 or own:
        metafunc.parametrize(TOPOLOGY, names, ids=[Path(name).stem for name in names])


def _cases(topology: str, meant: Collection[IPFamily], root: Path) -> list[ParameterSet]:
    """Return one case a family, or one that says why there is none."""
    stem, there = Path(topology).stem, families_of(topology, root)
    cases = [pytest.param(topology, each, id=f"{stem}-{each.value}") for each in there if each in meant]
    if cases or not meant:
        return cases
    has = " and ".join(each.value for each in there) or "none"
    reason = f"it asks in {' and '.join(sorted(each.value for each in meant))}; of families, all of {stem} have {has}"
    return [pytest.param(topology, min(meant, key=str), id=stem, marks=pytest.mark.skip(reason=reason))]


@functools.cache
def families_of(topology: str, root: Path) -> tuple[IPFamily, ...]:
    """Return the families that every cluster of a topology has, in a fixed order."""
    clusters = load_topology(topology_file(topology, root)).clusters
    return tuple(family for family in IPFamily if all(family in cluster.families for cluster in clusters))


@functools.cache
def names_of(topology: str, root: Path) -> frozenset[str]:
    """Return the names of a topology's clusters, as its file has them."""
    return frozenset(cluster.name for cluster in load_topology(topology_file(topology, root)).clusters)


@functools.cache
def has_overlaps(topology: str, root: Path) -> bool:
    """Say whether clusters of a topology use the same addresses for their pods and Services."""
    clusters = load_topology(topology_file(topology, root)).clusters
    used = [(*cluster.pod_cidrs, *cluster.service_cidrs) for cluster in clusters]
    return any(meet(one, other) for one, other in combinations(used, 2))


def _names(argument: str | tuple[str, ...] | list[str]) -> list[str]:
    """Return the argument names of a parametrize mark, which may be one comma-separated text."""
    return [name.strip() for name in argument.split(",")] if isinstance(argument, str) else list(argument)
