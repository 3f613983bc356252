"""Connectivity is not transitive."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, clusters, connect, every, needs, udp, verifies

CHAIN = [("a", "b"), ("b", "c")]


@verifies("L3-J3")
@needs(Capability.RAW_PACKETS)
@pytest.mark.topology("chain-of-three")
def test_the_middle_of_a_chain_forwards_nothing_to_its_other_end(fresh_lab: Lab) -> None:
    """Somebody at one end sends what is for the other end into the tunnel to the middle."""
    policies = fresh_lab.policies
    with policies.in_force(connect(clusters("b"), clusters("a", "c"))):
        policies.connect(CHAIN)
        pods = {name: fresh_lab.pods.of(name) for name in "abc"}
        with fresh_lab.detour("a", to="c", through="b"):
            every(udp(one, other) for one in pods["a"] for other in pods["c"]).must_not_arrive(
                control=every(udp(one, other) for one in pods["b"] for other in pods["c"])
            )
