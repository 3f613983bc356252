"""Ambiguous policies connect nobody and say so."""

from __future__ import annotations

import pytest

from l3conf.testing import EVERYBODY, Lab, clusters, connect, isolate, verifies

REASON = "Conflicted"


@verifies("L3-J4")
@pytest.mark.topology("chain-of-three")
def test_policies_that_disagree_connect_nobody_and_are_named_at_both_ends(fresh_lab: Lab) -> None:
    """Two are equally narrow and say opposite things of one pair; a third, narrower one puts an end to it."""

    def unsaid() -> list[str]:
        return [*fresh_lab.not_named(REASON, of="a", by=["b"]), *fresh_lab.not_named(REASON, of="b", by=["a"])]

    policies, everybody = fresh_lab.policies, connect(EVERYBODY, EVERYBODY)
    others = [("a", "c"), ("b", "c")]
    with policies.in_force(everybody, connect(clusters("a"), EVERYBODY), isolate(clusters("b"), clusters("a"))):
        policies.connect(others)
    with policies.in_force(everybody, connect(clusters("a"), clusters("b")), isolate(clusters("b"), clusters("a"))):
        policies.connect(others)
        fresh_lab.eventually_none("the conflict is not named", unsaid, within="T_policy")
    with policies.in_force(everybody, isolate(clusters("b"), EVERYBODY), connect(clusters("a"), clusters("b"))):
        policies.connect([("a", "b"), ("a", "c")])


@verifies("L3-J4")
@pytest.mark.declared("PerPairDriver")
@pytest.mark.topology("named-drivers")
def test_policies_that_name_different_drivers_connect_nobody_and_are_named_at_both_ends(fresh_lab: Lab) -> None:
    """Both say that the pair connects. Who is not named is connected all the time."""
    policies, (preferred, named) = fresh_lab.policies, fresh_lab.named_drivers(2)
    a, b = clusters("a"), clusters("b")
    with policies.in_force(connect(EVERYBODY, EVERYBODY), connect(a, b, driver=named)):
        with policies.in_force(connect(b, a, driver=preferred)):
            policies.connect([("a", "c"), ("b", "c")])
            fresh_lab.eventually_none(
                "the conflict is not named",
                lambda: [
                    *fresh_lab.not_named(REASON, of="a", by=["b"]),
                    *fresh_lab.not_named(REASON, of="b", by=["a"]),
                ],
                within="T_policy",
            )
        policies.connect([("a", "b"), ("a", "c"), ("b", "c")])
