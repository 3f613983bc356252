"""What tunnels send to each other never goes through a tunnel."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, needs, verifies

SIZE = 1000
"""Bytes; neither health checks nor key exchanges send as much."""
RATE = 20.0
"""Packets a second and flow; enough to fail a connection, and little to read back."""


@verifies("L3-D5", over_ipv6="L3-G1")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.topology("nodes-among-pods", "nodes-among-pods-v6")
def test_tunnels_carry_no_tunnel_though_a_prefix_holds_the_far_gateway(lab: Lab, family: IPFamily) -> None:
    """One member's pods and gateways share a range; tunnels stand all the same, and nothing is wrapped twice."""
    lab.eventually_none("not yet connected", lambda: lab.not_said({family: True}), within="T_join")
    pairs = lab.pods.workers_across(family)
    with (
        lab.watched() as watch,
        lab.wan.capturing() as wan,
        lab.stream(pairs, family=family, rate=RATE, size=SIZE) as stream,
    ):
        stream.goes_on("W_react")
        wan.shows_no_tunnel_in_a_tunnel(SIZE, family)
    stream.loses_nothing()
    assert watch.interruptions("east", "west") == []
