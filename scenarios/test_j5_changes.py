"""A change of policy touches the pairs that it names, soon, and nobody else."""

from __future__ import annotations

import pytest

from l3conf.testing import EVERYBODY, Lab, clusters, connect, isolate, verifies

EACH = [("a", "b"), ("a", "c"), ("b", "c")]


@verifies("L3-J5")
@pytest.mark.topology("chain-of-three")
def test_changes_of_policy_take_effect_and_others_lose_no_packet(fresh_lab: Lab) -> None:
    """The first policy, a narrower one, its end and the last one's end; one pair talks all the time."""
    policies, (b, c) = fresh_lab.policies, fresh_lab.pods.one_in_each("b", "c")
    policies.connect(EACH)
    with fresh_lab.stream([(b, c), (c, b)]) as stream:
        with policies.in_force(connect(EVERYBODY, EVERYBODY)):
            policies.connect(EACH)
            with policies.in_force(isolate(clusters("a"), EVERYBODY)):
                policies.connect([("b", "c")])
                with policies.in_force(connect(clusters("a"), clusters("b"))):
                    policies.connect([("a", "b"), ("b", "c")])
                policies.connect([("b", "c")])
        policies.connect(EACH)
    stream.loses_nothing()
