"""A connection of several parts is as well as its worst part."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, needs, udp, verifies


@verifies("L3-E4")
@pytest.mark.declared("DualStack")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("dual-stack")
def test_a_connection_is_not_connected_while_one_family_is_lost(fresh_lab: Lab, family: IPFamily) -> None:
    """However many entries the ends make of it, the other family does not make up for the one that is lost."""
    east, west = fresh_lab.pods.one_in_each("east", "west")
    (other,) = set(fresh_lab.families) - {family}
    fresh_lab.eventually_none("ends are not connected", fresh_lab.not_agreed, within="T_recover")
    with fresh_lab.family_blocked("east", "west", family):
        udp(east, west, family=family).must_not_arrive(control=udp(east, west, family=other))
        fresh_lab.eventually_none("a connection counts as whole", fresh_lab.reports.wholly_connected, within="T_detect")
    fresh_lab.eventually_none("ends are not connected again", fresh_lab.not_agreed, within="T_recover")


@verifies("L3-E4")
@needs(Capability.WAN_CAPTURE, Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
def test_a_connection_is_not_connected_while_one_sub_tunnel_is_lost(fresh_lab: Lab) -> None:
    """Where pods and Services of a peer have tunnels of their own; if the wire shows one for both, there is no part."""
    fresh_lab.eventually_none("ends are not connected", fresh_lab.not_agreed, within="T_recover")
    reports = fresh_lab.reports
    for sub_tunnel in reports.sub_tunnels("east", "west"):
        with reports.sub_tunnel_lost("west", sub_tunnel):
            fresh_lab.eventually_none("a connection counts as whole", reports.wholly_connected, within="T_detect")
        fresh_lab.eventually_none("ends are not connected again", fresh_lab.not_agreed, within="T_recover")
