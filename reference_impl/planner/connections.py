"""What connection policies at the broker say of every pair that this member is part of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from reference_impl.names import CLUSTER_ID_LABEL, PAIR_DRIVER, PAIR_POLICY
from reference_impl.protocols.object_codec import MalformedObjectError
from reference_impl.protocols.policy import (
    CONNECTED,
    ISOLATED,
    Decision,
    Member,
    decide_each,
    member_of,
    parse_policy,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.protocols.policy import Policy

    Object = Mapping[str, Any]

_UNSEEN = Decision(connects=False, reason=ISOLATED, message="its Cluster was not seen yet")
_LOG = logging.getLogger(__name__)


def decide_all(
    own_id: str, clusters: Iterable[Object], policies: Iterable[Object], others: Iterable[Object] = ()
) -> Mapping[str, Decision]:
    """Return the decision about each other member of which the broker holds an object, by cluster id.

    ``others`` holds its other objects. Of a member of which no Cluster was seen yet, as its Endpoint may come first,
    nobody knows the labels: as soon as there are policies it is connected to nobody.

    ``clusters`` and ``policies`` are the broker's objects. The label that the broker ties to the writer says who a
    Cluster is. A policy that cannot be read matches nobody, but it is one: what it was to forbid stays forbidden.
    """
    read = [_read(policy) for policy in policies]
    members = {name: member_of(cluster, name) for cluster in clusters if (name := _owner(cluster))}
    own = members.pop(own_id, Member(own_id, {CLUSTER_ID_LABEL: own_id}))
    unseen = {name for obj in others if (name := _owner(obj))} - {*members, own_id} if read else set()
    decisions = dict.fromkeys(unseen, _UNSEEN) | decide_each(read, own, members.values())
    return {name: decision for name, decision in decisions.items() if decision != CONNECTED}


def told(clusters: Iterable[Object]) -> Mapping[str, Decision]:
    """Return what the broker decided about each other member, as the copies in this member's mailbox say."""
    return {name: decision for each in clusters if (name := _owner(each)) and (decision := _told(each)) != CONNECTED}


def agreed(decided: Mapping[str, Decision], by_broker: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """Return who does not connect because this end says so, or the broker. Either may know of a change first."""
    return {**by_broker, **decided} | {name: each for name, each in by_broker.items() if not each.connects}


def _told(obj: Object) -> Decision:
    notes = obj["metadata"].get("annotations") or {}
    reason, _, message = str(notes.get(PAIR_POLICY) or "").partition(": ")
    return Decision(connects=not reason, reason=reason, message=message, cable_driver=str(notes.get(PAIR_DRIVER) or ""))


def _owner(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL) or "")


def _read(obj: Object) -> Policy:
    try:
        return parse_policy(obj)
    except MalformedObjectError as error:
        _LOG.error("ClusterConnectionPolicy %s: %s", obj["metadata"]["name"], error)
        return unreadable(str(obj["metadata"]["name"]), str(error))
