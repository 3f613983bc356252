"""What no policy connects exchanges nothing."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, Pod, Service, clusters, connect, every, needs, udp, verifies

CHAIN = [("a", "b"), ("b", "c")]


@verifies("L3-J1")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.topology("chain-of-three")
def test_pairs_that_no_policy_names_exchange_no_packet_of_any_kind(fresh_lab: Lab) -> None:
    """Their pods and Services are not reached, and between their sites not even tunnels, checks or discovery pass."""
    policies = fresh_lab.policies
    with policies.in_force(connect(clusters("b"), clusters("a", "c"))):
        policies.connect(CHAIN)
        pods = {name: fresh_lab.pods.of(name) for name in "abc"}
        servers: list[Pod | Service] = [*pods["c"], fresh_lab.services["c"]]
        unheard = every(udp(one, other) for one in pods["a"] for other in servers)
        with fresh_lab.wan.capturing() as wan:
            unheard.must_not_arrive(control=every(udp(one, other) for one in pods["b"] for other in pods["c"]))
            fresh_lab.idle("W_react")
            assert wan.between("a", "b") != ()
            assert (*wan.between("a", "c"), *wan.between("c", "a")) == ()
