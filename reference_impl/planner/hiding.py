"""What is said of connection policies: whether the broker hides what they forbid from members' credentials. Pure.

It does for members that have a mailbox. One that joined by a version without mailboxes, or before there was an agent,
shares the common namespace: it connects to nobody that policies forbid, but its credential reads what all publish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.planner.conditions import FALSE, LONGEST_MESSAGE, TRUE, Condition
from reference_impl.planner.mailboxes import owner_of, sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.planner.mailboxes import Object

HIDDEN = "Hidden"
"""Condition of a ClusterConnectionPolicy."""


def hiding(objects: Iterable[Object], common: str, mailboxes: Mapping[str, str]) -> Condition:
    """Return the condition that holds for every policy; it names the members that share the common namespace."""
    published = sources(tuple(objects), common, mailboxes)
    sharing = sorted({owner_of(obj) for obj in published if obj["metadata"].get("namespace") == common})
    if not sharing:
        return Condition(
            type=HIDDEN, status=TRUE, reason="Mailboxes", message="members read nothing of those that it forbids them"
        )
    message = f"these read what all publish until they are upgraded, or join again: {', '.join(sharing)}"
    return Condition(type=HIDDEN, status=FALSE, reason="SharedNamespace", message=message[:LONGEST_MESSAGE])
