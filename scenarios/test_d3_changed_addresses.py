"""Connections follow a gateway whose underlay address changes."""

from __future__ import annotations

import pytest

from l3conf.testing import (
    AddressChange,
    Capability,
    IPFamily,
    Lab,
    NodeAddressChange,
    every,
    needs,
    udp,
    verifies,
)


@verifies("L3-D3", over_ipv6="L3-G1")
@needs(Capability.NODE_FAULTS)
@pytest.mark.topology("two-clusters", "v6-only")
def test_connections_follow_a_gateway_node_to_another_address(fresh_lab: Lab, family: IPFamily) -> None:
    """There and back: packets flow, both ends mean the gateway where it is, and nobody knows it elsewhere."""
    gateway = next(node for node in fresh_lab.nodes if node.is_gateway and node.site.cluster == "east")
    new, old = fresh_lab.free_node_address("east", family), gateway.address(family)
    pairs = every(udp(a, b, family=family) for a, b in fresh_lab.pods.workers_across(family))
    with fresh_lab.fault(NodeAddressChange(cluster="east", node=gateway.site.node, address=new)):
        pairs.arrives(within="T_recover")
        fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")
        fresh_lab.eventually_none("not there", lambda: fresh_lab.found_elsewhere("east", new), within="T_recover")
    pairs.arrives(within="T_recover")
    fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")
    fresh_lab.eventually_none("not back", lambda: fresh_lab.found_elsewhere("east", old), within="T_recover")


@verifies("L3-D3")
@needs(Capability.NAT_FAULTS)
@pytest.mark.declared("NATOneSided")
@pytest.mark.topology("nat-one-side", "nat-port-rewriting")
def test_connections_follow_a_gateway_behind_a_nat_whose_public_address_changes(fresh_lab: Lab) -> None:
    """The gateway itself notices nothing: its peer has to follow its packets, and does so there and back."""
    pairs = every(udp(a, b) for a, b in fresh_lab.pods.workers_across(IPFamily.IPV4))
    with fresh_lab.fault(AddressChange(site="east", address=fresh_lab.free_wan_address)):
        pairs.arrives(within="T_recover")
        fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")
    pairs.arrives(within="T_recover")
    fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")
