"""Conditions as API objects showed them over time, judged by the Kubernetes API conventions. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from l3conf.plugin.cluster_api import Object

ACCEPTED, PROGRAMMED = frozenset({"Accepted"}), frozenset({"Programmed"})
ESTABLISHED = frozenset({"Connected", "Established"})
_EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
STAGES = (ACCEPTED, PROGRAMMED, ESTABLISHED)
"""Names of the three answers: specification valid, data plane applied, probed."""


@dataclass(frozen=True, slots=True)
class Version:
    """An object as it was from a moment on."""

    time: float
    """``time.monotonic``."""
    cluster: str
    """Whose API."""
    obj: Object

    @property
    def name(self) -> str:
        """The object as a message names it."""
        return f"{self.cluster}: {self.obj.get('kind', 'object')} {self.obj['metadata']['name']}"


def conditions_of(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return ``status.conditions``; none if there are none."""
    status = obj.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def faults(versions: Iterable[Version]) -> list[str]:
    """Return what is wrong with conditions in a log of objects (L3-A5), each fault once."""
    found: dict[str, None] = {}
    before: dict[str, Version] = {}
    for version in versions:
        for line in (*_wrong_in(version), *_wrong_between(before.get(version.name), version)):
            found.setdefault(f"{version.name}: {line}")
        before[version.name] = version
    return list(found)


def stages(versions: Iterable[Version], cluster: str, peer: str, at: float) -> list[str]:
    """Return the status of Accepted, Programmed and Connected/Established about a peer at a moment (L3-A6).

    What a Cluster object says of the peer counts before what the active Gateway says of all; "" where nothing does.
    """
    answers: dict[str, str] = {}
    latest = {one.name: one.obj for one in versions if one.cluster == cluster and one.time <= at}
    for about_peer in (False, True):
        for obj in latest.values():
            of_peer = (obj.get("spec") or {}).get("cluster_id") == peer
            active = (obj.get("status") or {}).get("haStatus") == "active"
            if of_peer if about_peer else active:
                answers |= {str(one.get("type")): str(one.get("status")) for one in conditions_of(obj)}
    return [next((answers[name] for name in sorted(stage) if name in answers), "") for stage in STAGES]


def _wrong_in(version: Version) -> Iterator[str]:
    conditions = conditions_of(version.obj)
    counted = Counter(str(one.get("type")) for one in conditions)
    yield from (f"type {kind} occurs {count} times" for kind, count in counted.items() if count > 1)
    generation = version.obj["metadata"].get("generation")
    for one in conditions:
        kind = one.get("type")
        if one.get("status") not in {"True", "False", "Unknown"}:
            yield f"{kind} has status {one.get('status')!r}"
        if not one.get("reason"):
            yield f"{kind} gives no reason"
        if _moment(one) is None:
            yield f"{kind} has lastTransitionTime {one.get('lastTransitionTime')!r}"
        observed = one.get("observedGeneration")
        if "spec" in version.obj and not isinstance(observed, int):
            yield f"{kind} does not say which generation it is about"
        if isinstance(observed, int) and isinstance(generation, int) and observed > generation:
            yield f"{kind} is about generation {observed}, before it exists"


def _wrong_between(before: Version | None, after: Version) -> Iterator[str]:
    then = {one.get("type"): one for one in conditions_of(before.obj)} if before else {}
    for one in conditions_of(after.obj):
        old = then.get(one.get("type"))
        if old is None:
            continue
        flipped = old.get("status") != one.get("status")
        if _moment(old) != _moment(one) and not flipped:
            yield f"lastTransitionTime of {one.get('type')} moved while its status stayed {one.get('status')}"
        if flipped and (_moment(old) or _EARLIEST) > (_moment(one) or _EARLIEST):
            yield f"lastTransitionTime of {one.get('type')} went back when its status changed"


def _moment(condition: Mapping[str, Any]) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(condition.get("lastTransitionTime")))
    except ValueError:
        return None
