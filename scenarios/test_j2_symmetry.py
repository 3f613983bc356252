"""A connection has two ends or none."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, clusters, connect, isolate, verifies


@verifies("L3-J2")
@pytest.mark.topology("chain-of-three")
@pytest.mark.parametrize(("left", "right"), [("a", "b"), ("b", "a")], ids=["a to b", "b to a"])
def test_both_ends_connect_whichever_side_of_a_policy_they_are(fresh_lab: Lab, left: str, right: str) -> None:
    """Which cluster a policy calls left makes no difference to either of them, nor do policies in both orders."""
    policies = fresh_lab.policies
    with policies.in_force(connect(clusters(left), clusters(right))):
        policies.connect([("a", "b")])
        fresh_lab.eventually_none("ends differ", lambda: policies.misreported([("a", "b")]), within="T_policy")
        with policies.in_force(connect(clusters("c"), clusters("a", "b")), isolate(clusters(right), clusters(left))):
            policies.connect([("a", "c"), ("b", "c")])
