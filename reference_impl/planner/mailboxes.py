"""Which objects stand where at the broker, so that each member sees what policy lets it see and nothing else. Pure.

Every member has a namespace of its own at the broker, its mailbox, and rights in no other. It writes its own objects
there, and finds there copies of those of the members that it may connect to. The broker's common namespace has a copy
of all: there the administrator gives labels, and what is written there for a cluster without mailbox counts as its own.

RBAC can neither filter a list nor end a watch that is open; what is not in a namespace is seen by neither (ADR 25).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import (
    CLUSTER_ID_LABEL,
    COPIED,
    CREATED,
    DESERTED,
    EXPORTED,
    ORIGIN_LABEL,
    PAIR_DRIVER,
    PAIR_POLICY,
)
from reference_impl.planner.exchange import Side, Write, WriteVerb
from reference_impl.planner.relays import REACHED, UNREACHED
from reference_impl.protocols.policy import CONFLICTED, CONNECTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reference_impl.protocols.policy import Decision

Object: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str, str]
"""Namespace, kind, name."""
_OWNERS = (EXPORTED, DESERTED)
"""Annotations by which members tell each other something; copies have them as well."""
_OURS = (CREATED, COPIED, PAIR_POLICY, PAIR_DRIVER, *_OWNERS)
"""Annotations that copies have."""


_NOWHERE = "0.0.0.0/32"
"""Range of a Cluster that is only named: its schema wants one, and this one is routed by nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """What the broker holds."""

    common: str
    """The namespace of the broker's administrator."""
    mailboxes: Mapping[str, str]
    """Namespace by cluster id."""
    objects: tuple[Object, ...]
    """Everything of the kinds that travel, in any namespace."""
    decisions: Mapping[str, Mapping[str, Decision]] = field(default_factory=dict)
    """By member: what policies say of each other one; who is not there connects."""

    def decision(self, reader: str, owner: str) -> Decision:
        """Return whether one member may see another's objects, or why not."""
        return self.decisions.get(reader, {}).get(owner, CONNECTED)


def sources(objects: Iterable[Object], common: str, mailboxes: Mapping[str, str]) -> tuple[Object, ...]:
    """Return what owners wrote themselves: in their mailboxes, or in the common namespace who has none.

    Who got a mailbox later counts as it stands in the common namespace until its Endpoint is in the mailbox.
    """
    own = [obj for obj in objects if owner_of(obj) and not _annotations(obj).get(COPIED)]
    moved = {
        owner for obj in own if obj.get("kind") == "Endpoint" and _where(obj) == mailboxes.get(owner := owner_of(obj))
    }
    staying = {owner_of(obj) for obj in own if _where(obj) == common} - moved
    return tuple(
        obj
        for obj in own
        if _where(obj) == (common if (owner := owner_of(obj)) in staying else mailboxes.get(owner, common))
    )


def registered(objects: Iterable[Object], common: str, mailboxes: Mapping[str, str]) -> tuple[Object, ...]:
    """Return the sources, Clusters with the labels that the administrator gave them: policies select by these.

    They are given in the common namespace. What a Cluster in a mailbox has besides who it is was copied from there.
    """
    listed = tuple(objects)
    given = {_name(obj): _labels(obj) for obj in listed if _where(obj) == common and _is_cluster(obj)}
    return tuple(
        _with_labels(obj, {**given.get(_name(obj), {}), **_stamp(obj)})
        if _is_cluster(obj) and _where(obj) != common
        else obj
        for obj in sources(listed, common, mailboxes)
    )


def plan_mailboxes(facts: BrokerFacts) -> tuple[Write, ...]:
    """Plan the writes after which every namespace holds what it should: what is to go goes first."""
    known = registered(facts.objects, facts.common, facts.mailboxes)
    wanted: dict[Key, Object] = {}
    for obj in known:
        owner = owner_of(obj)
        if _where(obj) != facts.common:
            _add(wanted, _copy(obj, facts.common, {COPIED: owner}))
        for reader, namespace in facts.mailboxes.items():
            if reader != owner and (shown := _shown(obj, reader, namespace, facts)) is not None:
                _add(wanted, shown)
    own = {_key(obj) for obj in known} | {_key(obj) for obj in facts.objects if _is_by_owner(obj, facts)}
    places = {facts.common, *facts.mailboxes.values()}
    actual = {
        _key(obj): obj for obj in facts.objects if _where(obj) in places and owner_of(obj) and _key(obj) not in own
    }
    return (*_deletions(wanted, actual), *_changes(wanted, actual), *_relabelled(known, facts))


def _relabelled(known: Iterable[Object], facts: BrokerFacts) -> Iterator[Write]:
    """Tell members how their own Clusters are labelled: both ends decide by these (ADR 19)."""
    found = {_key(obj): obj for obj in facts.objects}
    for obj in known:
        if _is_cluster(obj) and _labels(obj) != _labels(found[_key(obj)]):
            yield Write(Side.BROKER, WriteVerb.REPLACE, obj)


def _is_by_owner(obj: Object, facts: BrokerFacts) -> bool:
    """Say whether a member wrote an object into its own mailbox: that is its own to take back."""
    return _where(obj) == facts.mailboxes.get(owner_of(obj)) and not _annotations(obj).get(COPIED)


def _deletions(wanted: Mapping[Key, Object], actual: Mapping[Key, Object]) -> Iterator[Write]:
    for key, obj in actual.items():
        if key not in wanted:
            yield Write(Side.BROKER, WriteVerb.DELETE, obj)


def _changes(wanted: Mapping[Key, Object], actual: Mapping[Key, Object]) -> Iterator[Write]:
    for key, obj in wanted.items():
        found = actual.get(key)
        if found is None:
            yield Write(Side.BROKER, WriteVerb.CREATE, obj)
        elif _gist(found) != _gist(obj):
            version = found["metadata"].get("resourceVersion")
            yield Write(
                Side.BROKER, WriteVerb.REPLACE, {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
            )


def _add(wanted: dict[Key, Object], copy: Object) -> None:
    """Keep the first of two that would be one: no member can take another's place by a name."""
    wanted.setdefault(_key(copy), copy)


def _shown(obj: Object, reader: str, namespace: str, facts: BrokerFacts) -> Object | None:
    """Return an object as one member is to see it; None if it is not."""
    decision = facts.decision(reader, owner_of(obj))
    notes = {COPIED: owner_of(obj), CREATED: str(obj["metadata"].get("creationTimestamp") or "")}
    if decision.connects:
        if _is_cluster(obj):
            notes[PAIR_DRIVER] = decision.cable_driver
        return _copy(_as_seen_by(reader, obj, facts), namespace, notes)
    if decision.reason != CONFLICTED or not _is_cluster(obj):
        return None
    # Both ends have to say that policies disagree about them: of whom, and nothing else.
    notes = {COPIED: owner_of(obj), PAIR_POLICY: f"{decision.reason}: {decision.message}"}
    spec = {"cluster_id": owner_of(obj), "cluster_cidr": [_NOWHERE], "service_cidr": [_NOWHERE]}
    return _copy({**_with_labels(obj, _stamp(obj)), "spec": spec}, namespace, notes)


def _as_seen_by(reader: str, obj: Object, facts: BrokerFacts) -> Object:
    """Return an Endpoint that names, of those it reaches, only whom the reader may know of as well."""
    spec = obj.get("spec")
    config = spec.get("backend_config") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(config, dict) or config.keys().isdisjoint((REACHED, UNREACHED)):
        return obj
    seen = {
        name: ",".join(each for each in text.split(",") if facts.decision(reader, each.strip()).connects)
        if name in (REACHED, UNREACHED) and isinstance(text, str)
        else text
        for name, text in config.items()
    }
    return {**obj, "spec": {**spec, "backend_config": seen}}


def _copy(obj: Object, namespace: str, notes: Mapping[str, str]) -> Object:
    said = {name: text for name, text in _annotations(obj).items() if name in _OWNERS}
    written = {name: text for name, text in {**said, **notes}.items() if text}
    metadata = {"name": _name(obj), "namespace": namespace, "labels": _labels(obj), "annotations": written}
    return {**{key: value for key, value in obj.items() if key not in ("metadata", "status")}, "metadata": metadata}


def _gist(obj: Object) -> object:
    """Return what makes a copy the same as another one."""
    body = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    return body, _labels(obj), {name: text for name, text in _annotations(obj).items() if name in _OURS}


def owner_of(obj: Mapping[str, Any]) -> str:
    """Return the member that wrote an object, as the broker's admission has it; "" if none did."""
    return _labels(obj).get(CLUSTER_ID_LABEL, "")


def _is_cluster(obj: Mapping[str, Any]) -> bool:
    return obj.get("kind") == "Cluster"


def _labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def _stamp(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that say whose an object is."""
    return {key: value for key, value in _labels(obj).items() if key in (CLUSTER_ID_LABEL, ORIGIN_LABEL)}


def _with_labels(obj: Object, labels: dict[str, str]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


def _annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("annotations") or {}


def _where(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("namespace") or "")


def _name(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"]["name"])


def _key(obj: Mapping[str, Any]) -> Key:
    return _where(obj), str(obj.get("kind")), _name(obj)
