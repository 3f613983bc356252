"""What is said of a connection policy: whether it can be read, and how many pairs of members it is about. Pure."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

from reference_impl.planner.conditions import ACCEPTED, FALSE, LONGEST_MESSAGE, TRUE, Condition
from reference_impl.protocols.object_codec import MalformedObjectError
from reference_impl.protocols.policy import parse_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_impl.protocols.policy import Member, Object

MATCHING = "Matching"
"""Condition of a ClusterConnectionPolicy."""


def policy_conditions(policy: Object, members: Sequence[Member]) -> tuple[Condition, ...]:
    """Return what holds for one policy in a set of members: one that matches nobody may be meant so, or misspelt."""
    try:
        read = parse_policy(policy)
    except MalformedObjectError as error:
        message = f"{error}: as long as it stands, pairs that no other policy connects are not connected"
        return (
            Condition(type=ACCEPTED, status=FALSE, reason="Invalid", message=message[:LONGEST_MESSAGE]),
            Condition(type=MATCHING, status=FALSE, reason="Invalid", message="it matches nobody"),
        )
    accepted = Condition(type=ACCEPTED, status=TRUE, reason="Valid", message="it can be read")
    left, right = (
        {each.cluster_id for each in members if side.matches(each.labels)} for side in (read.left, read.right)
    )
    both = len(left & right)
    # Ordered pairs of two different members, less those that were counted once for either order.
    pairs, all_pairs = len(left) * len(right) - both - comb(both, 2), comb(len(members), 2)
    if pairs:
        reason = "EveryPair" if pairs == all_pairs else "SomePairs"
        found = Condition(
            type=MATCHING, status=TRUE, reason=reason, message=f"it is about {pairs} of {all_pairs} pairs"
        )
    else:
        message = f"left matches {len(left)} of {len(members)} members, right {len(right)}: no pair"
        found = Condition(type=MATCHING, status=FALSE, reason="NoPair", message=message)
    return accepted, found
