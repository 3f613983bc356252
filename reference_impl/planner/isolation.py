"""One peer that cannot be planned for is left out with its reason; it never takes the plan of the others down.

Planners do not raise on what parsers let through. Should one do so all the same, this is the bulkhead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from reference_impl.planner.membership import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.protocols.objects import Endpoint

Plan = TypeVar("Plan")


def plan_isolated(
    peers: tuple[Endpoint, ...], plan: Callable[[tuple[Endpoint, ...]], Plan]
) -> tuple[Plan, tuple[Refusal, ...]]:
    """Return the plan for all peers, or for those that can be planned for, and a refusal for each other one.

    What fails for no peer alone, or for none at all, is a bug of ours and is raised.
    """
    try:
        return plan(peers), ()
    except Exception:
        refusals = tuple(refusal for peer in peers if (refusal := _objection(peer, plan)))
        if not refusals:
            raise
    refused = {refusal.cluster_id for refusal in refusals}
    return plan(tuple(peer for peer in peers if peer.cluster_id not in refused)), refusals


def _objection(peer: Endpoint, plan: Callable[[tuple[Endpoint, ...]], Plan]) -> Refusal | None:
    try:
        plan((peer,))
    except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this peer
        text = f"cannot be planned for: {type(error).__name__}: {error}"
        return Refusal(cluster_id=peer.cluster_id, reason="Malformed", message=text, endpoint=peer)
    return None
