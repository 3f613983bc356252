"""A removal may be interrupted, and repeated."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-M4")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
@pytest.mark.dismantles
def test_a_removal_that_was_killed_midway_is_completed_by_the_next(fresh_lab: Lab) -> None:
    """Killed at several moments, then let go to its end, and called once more with nothing left to do."""
    removal = fresh_lab.removal
    removal.installed()
    assert fresh_lab.changed_on_nodes() != [], "nothing was ever installed on any node"
    removal.interrupted("W_midway")
    ended = removal.done()
    fresh_lab.eventually_none("objects remain", fresh_lab.changed_objects, within="T_remove", since=ended)
    fresh_lab.eventually_none("nodes differ", fresh_lab.changed_on_nodes, within="T_remove", since=ended)
    removal.done()
    assert fresh_lab.changed_objects() == []
    assert fresh_lab.changed_on_nodes() == []
