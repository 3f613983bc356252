"""What travels through the broker: own Clusters and Endpoints up, the other members' down.

Of clusters with which connection policies do not connect this one no Endpoint comes down, so that neither address nor
key of theirs is learnt (L3-J7); their Cluster does, and says why.

Only metadata that names the origin and the whole ``spec`` travel, unread: fields that this version does not
know pass through and are not erased on the way (L3-L4).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CLUSTER_ID_LABEL, CREATED, ORIGIN_LABEL, PAIR_DRIVER, PAIR_POLICY
from reference_impl.protocols.policy import CONNECTED, Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Object: TypeAlias = dict[str, Any]


class Side(enum.Enum):
    """Where something is written."""

    BROKER = "broker"
    MEMBER = "member"


class WriteVerb(enum.Enum):
    """How it is written."""

    CREATE = "create"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Write:
    """One write to an API."""

    side: Side
    verb: WriteVerb
    obj: Object


def make_before_break(writes: Iterable[Write]) -> tuple[tuple[Write, ...], tuple[Write, ...]]:
    """Split writes into those that may go at once, and those that take away what one of them takes the place of.

    A member whose gateway moves has an Endpoint of another name: without either, for a moment, it would be nobody's
    peer, and whoever looks just then would cut it.
    """
    every = tuple(writes)
    made = {_place(write) for write in every if write.verb is WriteVerb.CREATE}

    def is_succeeded(write: Write) -> bool:
        return write.verb is WriteVerb.DELETE and _place(write) in made

    return tuple(write for write in every if not is_succeeded(write)), tuple(filter(is_succeeded, every))


def _place(write: Write) -> tuple[Side, str, str, str]:
    metadata = write.obj["metadata"]
    owner = (metadata.get("labels") or {}).get(CLUSTER_ID_LABEL, "")
    return write.side, str(metadata.get("namespace", "")), str(write.obj.get("kind", "")), owner


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFacts:
    """Both sides of one kind, Clusters or Endpoints."""

    own_id: str
    member_namespace: str
    broker_namespace: str
    member: tuple[Object, ...]
    """Everything in the member's namespace: own objects without the label, others' with it."""
    broker: tuple[Object, ...]
    """Everything in the broker's namespace."""
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    """What connection policies say of the pair with each other member; what is not there connects."""
    mailbox: bool = False
    """Whether the broker's side is this member's mailbox: then what copies are noted with is the broker's word."""


def plan_exchange(facts: ExchangeFacts) -> tuple[Write, ...]:
    """Plan the writes that make both sides agree; none if they do."""
    own = [obj for obj in facts.member if not _owner(obj)]
    there = {_name(obj): _labels(obj) for obj in facts.broker if _owner(obj) == facts.own_id}
    foreign = [
        obj
        for obj in facts.broker
        if _owner(obj) != facts.own_id and is_genuine(obj) and (_decision(obj, facts).connects or _is_cluster(obj))
    ]
    return (
        *_mirror(
            Side.BROKER,
            # Labels that the broker's administrator gave, for connection policies to select by, stay.
            [_copy(obj, facts.broker_namespace, {**there.get(_name(obj), {}), **_stamp(obj, facts)}) for obj in own],
            [obj for obj in facts.broker if _owner(obj) == facts.own_id],
        ),
        *_mirror(
            Side.MEMBER,
            [_noted(_copy(obj, facts.member_namespace, _labels(obj)), obj, facts) for obj in foreign],
            [obj for obj in facts.member if _owner(obj)],
        ),
    )


def without(members: frozenset[str], objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """Return the objects that belong to nobody of these."""
    return tuple(obj for obj in objects if _owner(obj) not in members) if members else objects


def is_genuine(obj: Mapping[str, Any]) -> bool:
    """Say whether a broker object speaks for the member that wrote it, and for no other.

    The label is what the broker's admission ties to the writer; a ``cluster_id`` that says otherwise is an
    impersonation and is not delivered.
    """
    spec = obj.get("spec")
    return bool(_owner(obj)) and isinstance(spec, dict) and spec.get("cluster_id") == _owner(obj)


def forgeries(objects: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    """Return which members wrote objects that name another member as their owner, and what (L3-B6)."""
    return {
        _owner(obj): f"it wrote {obj.get('kind', 'object')} {_name(obj)} in the name of {_named(obj) or 'nobody'}"
        for obj in objects
        if _owner(obj) and not is_genuine(obj)
    }


def _named(obj: Mapping[str, Any]) -> str:
    spec = obj.get("spec")
    return str(spec.get("cluster_id") or "") if isinstance(spec, dict) else ""


def _mirror(side: Side, wanted: Sequence[Object], actual: Iterable[Object]) -> Iterable[Write]:
    """Create what is missing, replace what differs, delete ghosts."""
    existing = {_name(obj): obj for obj in actual}
    for obj in wanted:
        found = existing.pop(_name(obj), None)
        if found is None:
            yield Write(side, WriteVerb.CREATE, obj)
        elif found.get("spec") != obj["spec"] or _labels(found) != _labels(obj) or _notes(found) != _notes(obj):
            version = found["metadata"].get("resourceVersion")
            yield Write(side, WriteVerb.REPLACE, {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}})
    for ghost in existing.values():
        yield Write(side, WriteVerb.DELETE, ghost)


def _copy(obj: Object, namespace: str, labels: dict[str, str]) -> Object:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {"name": _name(obj), "namespace": namespace, "labels": labels},
        "spec": obj.get("spec", {}),
    }


def _stamp(obj: Object, facts: ExchangeFacts) -> dict[str, str]:
    # What a Cluster is called is its administrator's at the broker to say, not its own.
    own = {} if _is_cluster(obj) else _labels(obj)
    return {**own, CLUSTER_ID_LABEL: facts.own_id, ORIGIN_LABEL: facts.member_namespace}


def _noted(copy: Object, original: Mapping[str, Any], facts: ExchangeFacts) -> Object:
    """Say in a copy when its original was made, and whether the pair may connect.

    Who came first is so the same for all members, whenever they joined.
    """
    decision = _decision(original, facts)
    made = _notes(original).get(CREATED) if facts.mailbox else None
    notes = {CREATED: made or str(original["metadata"].get("creationTimestamp") or "")}
    if _is_cluster(original):
        notes[PAIR_POLICY] = "" if decision.connects else f"{decision.reason}: {decision.message}"
        notes[PAIR_DRIVER] = decision.cable_driver
    written = {name: text for name, text in notes.items() if text}
    return {**copy, "metadata": {**copy["metadata"], "annotations": written}} if written else copy


def _notes(obj: Mapping[str, Any]) -> Mapping[str, str]:
    annotations = obj["metadata"].get("annotations") or {}
    return {name: str(annotations[name]) for name in (CREATED, PAIR_POLICY, PAIR_DRIVER) if annotations.get(name)}


def _decision(obj: Mapping[str, Any], facts: ExchangeFacts) -> Decision:
    return facts.decisions.get(_owner(obj), CONNECTED)


def _is_cluster(obj: Mapping[str, Any]) -> bool:
    return obj.get("kind") == "Cluster"


def _labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def _owner(obj: Mapping[str, Any]) -> str:
    return str((obj["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL, ""))


def _name(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"]["name"])
