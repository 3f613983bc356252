"""What connection policies at the broker say of every pair that this member is part of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from reference_impl.names import CLUSTER_ID_LABEL
from reference_impl.protocols.object_codec import MalformedObjectError
from reference_impl.protocols.policy import CONNECTED, Member, decide, member_of, parse_policy, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.protocols.policy import Decision, Policy

    Object = Mapping[str, Any]

_LOG = logging.getLogger(__name__)


def decide_all(own_id: str, clusters: Iterable[Object], policies: Iterable[Object]) -> Mapping[str, Decision]:
    """Return the decision about each other member whose Cluster object the broker holds, by cluster id.

    ``clusters`` and ``policies`` are the broker's objects. The label that the broker ties to the writer says who a
    Cluster is. A policy that cannot be read matches nobody, but it is one: what it was to forbid stays forbidden.
    """
    read = [_read(policy) for policy in policies]
    members = {
        name: member_of(cluster, name)
        for cluster in clusters
        if (name := str((cluster["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL) or ""))
    }
    own = members.pop(own_id, Member(own_id, {CLUSTER_ID_LABEL: own_id}))
    decisions = {name: decide(read, own, member) for name, member in members.items()}
    return {name: decision for name, decision in decisions.items() if decision != CONNECTED}


def _read(obj: Object) -> Policy:
    try:
        return parse_policy(obj)
    except MalformedObjectError as error:
        _LOG.error("ClusterConnectionPolicy %s: %s", obj["metadata"]["name"], error)
        return unreadable(str(obj["metadata"]["name"]))
