from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.isolation import plan_isolated
from reference_impl.tests.planner.facts import endpoint

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint


@given(st.sets(st.integers(2, 9)), st.sets(st.integers(2, 9)))
def test_the_others_are_planned_for_and_every_culprit_is_named(all_peers: set[int], bad: set[int]) -> None:
    culprits = {endpoint(number).cluster_id for number in bad & all_peers}

    def plan(peers: tuple[Endpoint, ...]) -> set[str]:
        for peer in peers:
            if peer.cluster_id in culprits:
                raise KeyError(peer.cluster_id)
        return {peer.cluster_id for peer in peers}

    peers = tuple(endpoint(number) for number in sorted(all_peers))
    planned, refusals = plan_isolated(peers, plan)
    assert planned == {peer.cluster_id for peer in peers} - culprits
    assert {refusal.cluster_id for refusal in refusals} == culprits
    assert all("KeyError" in refusal.message for refusal in refusals)


def test_a_plan_that_no_peer_is_to_blame_for_is_a_bug() -> None:
    def plan(peers: tuple[Endpoint, ...]) -> None:
        raise ValueError(f"{len(peers)} peers")

    with pytest.raises(ValueError, match="0 peers"):
        plan_isolated((), plan)
