"""How long groups of scenarios are expected to take, so that workers get the longest ones first.

Only an order is made of it, so a rough estimate does: a lab takes time to build by its nodes, a test waits out in full
the windows of the table that it names, and what else it takes goes by its use of the lab (means of a whole run).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import UserError
from l3conf.plugin.collection import Use, use_of
from l3conf.plugin.options import topology_file
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from l3conf.spec.budgets import Budgets

LONG = 600.0
"""Added to labs in which something is begun that is asked for at the end: they come first."""
_TESTS = {Use.SHARED: 0.5, Use.QUIET: 0.5, Use.DISTURBED: 5.0, Use.EARLIER: 20.0}
"""What a test takes besides its windows, by what it does to its lab: who disturbs one waits until it is well again."""
_LAB = 6.0
_NODE = 1.0


def seconds_of_test(item: pytest.Item, budgets: Budgets) -> float:
    """Return what a scenario takes, its lab apart."""
    code = getattr(getattr(item, "function", None), "__code__", None)
    names = {name for name in getattr(code, "co_consts", ()) if isinstance(name, str) and name.startswith("W_")}
    return _TESTS[use_of(item)] + sum(budgets.get(name) for name in names if name in budgets.table)


def seconds_of_lab(topology: str, root: Path) -> float:
    """Return what building and joining a topology takes; a file that cannot be read is the test's to report."""
    try:
        clusters = load_topology(topology_file(topology, root)).clusters
    except UserError:
        return _LAB
    return _LAB + _NODE * sum(len(cluster.nodes) for cluster in clusters)
