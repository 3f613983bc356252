"""Members do not learn of clusters that they may not reach."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, clusters, connect, verifies


@verifies("L3-J7")
@pytest.mark.topology("chain-of-three")
def test_members_hold_no_address_or_key_of_clusters_that_they_may_not_reach(fresh_lab: Lab) -> None:
    """What was known before the policy is forgotten; who joins later is not told in the first place."""
    policies = fresh_lab.policies

    def known() -> list[str]:
        return [*policies.learnt("a", of="c"), *policies.learnt("c", of="a")]

    assert known() != [], "without a policy they should know each other"
    with policies.in_force(connect(clusters("b"), clusters("a", "c"))):
        fresh_lab.eventually_none("they still know each other", known, within="T_policy")
        policies.connect([("a", "b"), ("b", "c")])
        assert policies.learnt("b", of="c") != []
        fresh_lab.rejoined("c")
        policies.connect([("a", "b"), ("b", "c")])
        assert known() == []


@verifies("L3-J7")
@pytest.mark.topology("chain-of-three")
def test_the_broker_shows_a_member_nothing_of_clusters_that_it_may_not_reach(fresh_lab: Lab) -> None:
    """Asked with the member's own credential, by list, watch and name, it shows those that the member may reach."""
    policies = fresh_lab.policies

    def shown() -> list[str]:
        return [*policies.shown("a", of="c"), *policies.shown("c", of="a")]

    assert shown() != [], "without a policy each should be shown the other"
    with policies.in_force(connect(clusters("b"), clusters("a", "c"))):
        policies.connect([("a", "b"), ("b", "c")])
        fresh_lab.eventually_none("they are still shown each other", shown, within="T_policy")
        assert policies.not_shown("a", of="b") == policies.not_shown("c", of="b") == []
    policies.connect([("a", "b"), ("a", "c"), ("b", "c")])
    assert shown() != []
