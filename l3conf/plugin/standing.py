"""Which scenarios are part of their rows on a ground that is given, and stands for some topologies only.

On real clusters a row says what holds there. Of a test that runs on several topologies, those for which they
cannot stand are then no part of the row. Where they can stand for none of a test's, it stays, and makes its rows
``untestable`` with the reason: no part of what a row asks may be missing unsaid.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabIncapableError, UserError
from l3conf.labs import EXISTING, KIND
from l3conf.plugin.marks import rows_of, topology_of
from l3conf.plugin.options import topology_file
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from l3conf.plugin.options import RunOptions


def out_of_place(items: Iterable[pytest.Item], stands: Callable[[str], bool]) -> list[pytest.Item]:
    """Return the scenarios that are no part of their rows, by the topologies for which the ground can stand."""
    scenarios = [item for item in items if rows_of(item)]
    proved = {proof for item in scenarios if stands(topology_of(item)) for proof in _proofs(item)}
    return [item for item in scenarios if not stands(topology_of(item)) and proved.issuperset(_proofs(item))]


def _proofs(item: pytest.Item) -> list[tuple[str, str]]:
    """Return what a scenario shows of which row, whatever its topology."""
    return [(item.nodeid.partition("[")[0], row) for row in rows_of(item)]


def ground_of(options: RunOptions, root: Path) -> Callable[[str], bool]:
    """Return for which topologies the ground of a run can stand; one that is built stands for all.

    Looks at clusters that exist. ``pytest.UsageError`` if they cannot be used at all.
    """
    if options.lab_kind == KIND:
        from l3conf.labs.kind.standing import can_stand  # noqa: PLC0415 - for those who need it

        return lambda topology: can_stand(load_topology(topology_file(topology, root)), options.of_kind)
    if options.lab_kind != EXISTING:
        return lambda _topology: True
    from l3conf.labs.existing.ground import find_ground  # noqa: PLC0415 - brings the Kubernetes client
    from l3conf.labs.existing.matching import stand_for  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="l3conf-look-") as folder:
        try:
            ground = find_ground(options.existing, Path(folder))
        except UserError as error:
            raise pytest.UsageError(str(error)) from None

    @functools.cache
    def stands(topology: str) -> bool:
        wanted = load_topology(topology_file(topology, root))
        try:
            stand_for(wanted, ground.clusters, installed=options.existing.installed)
        except LabIncapableError:
            return False
        return True

    return stands
