"""NetworkPolicies of a cluster apply to what comes from other clusters."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, Outcome, every, needs, tcp, verifies


@verifies("L3-J8")
@needs(Capability.NETWORK_POLICY)
@pytest.mark.topology("chain-of-three")
def test_a_policy_on_a_remote_pod_range_lets_its_pods_in_and_nobody_else(fresh_lab: Lab) -> None:
    """One cluster is named by its range, the other is not; both could connect before. What is open may stay open."""
    pods = {name: fresh_lab.pods.of(name) for name in "abc"}
    named = every(tcp(client, server) for client in pods["a"] for server in pods["b"])
    others = every(tcp(client, server) for client in pods["c"] for server in pods["b"])
    others.arrives()
    with fresh_lab.admitting("b", only="a"):
        others.ends_in(Outcome.TIMEOUT, Outcome.REFUSED, Outcome.UNREACHABLE, within="T_policy")
        others.must_not_arrive(control=named)
    others.arrives(within="T_policy")
