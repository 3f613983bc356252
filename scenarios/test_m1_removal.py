"""Removal leaves nodes and clusters as they were found."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-M1")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
@pytest.mark.dismantles
def test_removal_restores_every_node_and_every_cluster(lab: Lab) -> None:
    """Links, addresses, routes, rules, neighbours, filters, sysctls; namespaces, CRDs, rights."""
    assert lab.changed_on_nodes() != [], "nothing was ever installed on any node"
    assert lab.changed_objects() != [], "nothing was ever installed in any cluster"
    removed_at = lab.removed()
    lab.eventually_none("objects remain", lab.changed_objects, within="T_remove", since=removed_at)
    lab.eventually_none("nodes differ from before", lab.changed_on_nodes, within="T_remove", since=removed_at)
