"""A node is added: its pods are like all others, and nobody else notices."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, every, needs, udp, verifies


@verifies("L3-K1")
@needs(Capability.NODE_CHANGES)
@pytest.mark.topology("two-clusters", "mixed-plugins", "dual-stack")
def test_pods_of_a_new_node_reach_remote_clusters_and_are_reached(fresh_lab: Lab) -> None:
    """One node more in every cluster, in every family; pods that were there before lose no packet."""
    lab = fresh_lab
    others = lab.pods.across_clusters(lab.families[0])
    with lab.newcomers() as newcomers, lab.stream(others) as stream:
        newcomers.come()
        every(
            udp(*pair, family=family)
            for there, new in lab.pods.towards(*newcomers.pods)
            for pair in ((there, new), (new, there))
            for family in lab.families
        ).arrives(within="T_node", since=newcomers.ready_at)
        stream.goes_on("W_react")
    stream.loses_nothing()
