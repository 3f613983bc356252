"""Nothing hangs when what would tidy up is gone before what is to be tidied."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-M3")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
@pytest.mark.dismantles
def test_removal_in_the_wrong_order_ends_all_the_same(fresh_lab: Lab) -> None:
    """Controllers first, then the namespaces with all objects in them, and only then the removal itself."""
    removal = fresh_lab.removal
    removal.installed()
    removal.controllers_first("east", "west")
    removal.namespaces_next()
    fresh_lab.eventually_none("namespaces hang", removal.namespaces, within="T_remove")
    ended = removal.done()
    fresh_lab.eventually_none("objects remain", fresh_lab.changed_objects, within="T_remove", since=ended)
    fresh_lab.eventually_none("nodes differ", fresh_lab.changed_on_nodes, within="T_remove", since=ended)
