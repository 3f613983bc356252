"""A node is removed: nothing of it stays anywhere, and nobody else notices."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, every, needs, udp, verifies


@verifies("L3-K2")
@needs(Capability.NODE_CHANGES, Capability.NODE_STATE)
@pytest.mark.topology("two-clusters", "mixed-plugins")
@pytest.mark.parametrize("drained", [True, False], ids=["drained", "dead"])
def test_a_removed_node_is_forgotten_and_costs_the_others_no_packet(fresh_lab: Lab, *, drained: bool) -> None:
    """One of every cluster. When they come back as new machines, their pods are like all others."""
    lab, family = fresh_lab, fresh_lab.families[0]
    with lab.leavers() as leavers, lab.stream(leavers.others(family)) as stream:
        if drained:
            leavers.are_drained()
        leavers.go()
        assert leavers.named != (), "no other node ever had state of the leavers"
        lab.eventually_none("nodes name them", leavers.still_named, within="T_node", since=leavers.went_at)
        lab.eventually_none("objects name them", leavers.still_known, within="T_node", since=leavers.went_at)
        stream.goes_on("W_react")
    stream.loses_nothing()
    every(udp(*pair) for pair in lab.pods.across_clusters(family)).arrives(within="T_node")


@verifies("L3-K2")
@needs(Capability.NODE_CHANGES, Capability.NODE_STATE)
@pytest.mark.topology("two-gateways")
def test_a_gateway_node_is_drained_followed_removed_and_forgotten(fresh_lab: Lab) -> None:
    """As operators replace machines. When it comes back as a new one, all pods reach each other again."""
    lab, family = fresh_lab, fresh_lab.families[0]
    gateways = lab.succession("east")
    lab.idle("W_settle")
    with gateways.leaver() as leaver, lab.stream(leaver.others(family)) as stream:
        leaver.are_drained()
        node = leaver.nodes[0].node
        lab.eventually_none("not relieved", lambda: gateways.not_followed(node), within="T_failover")
        leaver.go()
        lab.eventually_none("nodes name it", leaver.still_named, within="T_node", since=leaver.went_at)
        lab.eventually_none("objects name it", leaver.still_known, within="T_node", since=leaver.went_at)
        stream.goes_on("W_react")
    stream.outage_within("O_move")
    every(udp(*pair) for pair in lab.pods.across_clusters(family)).arrives(within="T_node")
