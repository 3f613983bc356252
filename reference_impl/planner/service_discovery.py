"""Everything that service discovery writes: own offers up, imports down, and what exports say of themselves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CLUSTER_ID_LABEL, DESERTED, EXPORTED, MANAGED_BY
from reference_impl.planner.conditions import FALSE, TRUE, Condition, says
from reference_impl.planner.exchange import Side, Write, WriteVerb
from reference_impl.planner.exports import MANAGED, READY, refusal_of, valid
from reference_impl.planner.global_objects import name_of
from reference_impl.planner.imports import (
    import_object,
    import_slices,
    imported_name,
    merge,
    no_conflict,
    reachable_ranges,
    within_reach,
)
from reference_impl.planner.offer_objects import import_at_broker, read_group, read_offers, slices_at_broker
from reference_impl.planner.offers import Reach, abroad, own_offers, ports_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reference_impl.planner.global_objects import Name
    from reference_impl.planner.imports import Import
    from reference_impl.planner.offers import Offer
    from reference_impl.state import IPNetwork

Object: TypeAlias = dict[str, Any]
Objects: TypeAlias = tuple[Object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """What a member and the broker hold."""

    own_id: str
    broker_namespace: str
    global_cidrs: tuple[IPNetwork, ...] = ()
    """The own ones; empty: others reach this cluster at its own addresses."""
    exports: Objects = ()
    services: Objects = ()
    slices: Objects = ()
    """All EndpointSlices of the member."""
    ingress: Objects = ()
    """Its GlobalIngressIPs."""
    namespaces: Objects = ()
    imports: Objects = ()
    clusters: Objects = ()
    endpoints: Objects = ()
    """Its copies of what travels through the broker."""
    offered: Objects = ()
    offered_slices: Objects = ()
    """ServiceImports and EndpointSlices at the broker, of all members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """What to write; nothing where all is as it should be."""

    writes: tuple[Write, ...]
    exporters: tuple[tuple[Object, tuple[str, ...]], ...]
    """ServiceImports whose status does not name the clusters that export them, with these."""
    said: tuple[tuple[Object, tuple[Condition, ...]], ...]
    """Own ServiceExports, with the conditions that they should have."""


def plan_services(facts: ServiceFacts) -> ServicePlan:
    """Plan one step; a second one after it is written plans nothing."""
    at_home = own_offers(facts.own_id, facts.exports, facts.services, facts.slices, Reach())
    reach = abroad(facts.global_cidrs, facts.ingress) if facts.global_cidrs else Reach()
    up = own_offers(facts.own_id, facts.exports, facts.services, facts.slices, reach)
    ranges = reachable_ranges(facts.clusters, facts.endpoints)
    others = (each for each in read_offers(facts.offered, facts.offered_slices) if each.cluster_id != facts.own_id)
    imports = merge([*at_home, *within_reach(others, ranges)])
    there = {name_of(each): each for each in facts.imports}
    ours = {name: each for name, each in there.items() if _labels(each).get(MANAGED) == MANAGED_BY}
    homes = {str(each["metadata"]["name"]) for each in facts.namespaces if "deletionTimestamp" not in each["metadata"]}
    # Namespaces are the same everywhere or nowhere: where there is none, the import waits. What others made stays.
    shown = [each for each in imports if each.name[0] in homes and (each.name in ours or each.name not in there)]
    return ServicePlan(
        writes=(
            *_offers_up(facts, up),
            *mirror(Side.MEMBER, map(import_object, shown), ours.values()),
            *mirror(
                Side.MEMBER,
                (piece for each in shown for piece in import_slices(each)),
                (piece for piece in facts.slices if imported_name(piece) is not None),
            ),
        ),
        exporters=tuple(_exporters(shown, ours)),
        said=tuple(_said(facts, imports)),
    )


def _offers_up(facts: ServiceFacts, offers: Iterable[Offer]) -> Iterator[Write]:
    listed, namespace = tuple(offers), facts.broker_namespace
    yield from mirror(
        Side.BROKER,
        (import_at_broker(each, namespace) for each in listed),
        (each for each in facts.offered if _labels(each).get(CLUSTER_ID_LABEL) == facts.own_id),
    )
    yield from mirror(
        Side.BROKER,
        (piece for each in listed for piece in slices_at_broker(each, namespace)),
        (each for each in facts.offered_slices if _labels(each).get(CLUSTER_ID_LABEL) == facts.own_id),
    )


def mirror(side: Side, wanted: Iterable[Object], actual: Iterable[Object]) -> Iterator[Write]:
    """Create what is missing, replace what says something else, delete what nobody wants."""
    existing = {name_of(obj): obj for obj in actual}
    for obj in wanted:
        found = existing.pop(name_of(obj), None)
        if found is None:
            yield Write(side, WriteVerb.CREATE, obj)
        elif _gist(found) != _gist(obj) or not _labels(obj).items() <= _labels(found).items():
            version = found["metadata"].get("resourceVersion")
            yield Write(side, WriteVerb.REPLACE, {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}})
    for ghost in existing.values():
        yield Write(side, WriteVerb.DELETE, ghost)


def _gist(obj: Object) -> object:
    """Return what an object says, whatever its server filled in; what cannot be read says nothing that is wanted."""
    try:
        if obj["kind"] == "EndpointSlice":
            return read_group(obj)
        spec = obj["spec"]
        notes = obj["metadata"].get("annotations") or {}
        return spec["type"], ports_of(spec), tuple(spec.get("ips") or ()), notes.get(EXPORTED), notes.get(DESERTED)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def _exporters(imports: Iterable[Import], ours: Mapping[Name, Object]) -> Iterator[tuple[Object, tuple[str, ...]]]:
    for each in imports:
        obj = ours.get(each.name)
        if obj is None:
            continue
        wanted = tuple(sorted(offer.cluster_id for offer in each.offers))
        named = (obj.get("status") or {}).get("clusters") or []
        if wanted != tuple(sorted(str(entry.get("cluster") or "") for entry in named)):
            yield obj, wanted


def _said(facts: ServiceFacts, imports: Iterable[Import]) -> Iterator[tuple[Object, tuple[Condition, ...]]]:
    """Yield what exports should say. Where there are global addresses, their agent says whether an export is valid."""
    conflicts = {each.name: each.conflicts.get(facts.own_id) or no_conflict() for each in imports}
    services = {name_of(each): each for each in facts.services}
    at_broker = {str(each["metadata"]["name"]) for each in facts.offered}
    for export in facts.exports:
        namespace, name = name_of(export)
        refusal = refusal_of(services.get((namespace, name)))
        conditions = [conflicts[namespace, name]] if refusal is None and (namespace, name) in conflicts else []
        if not facts.global_cidrs:
            conditions += [refusal or valid(), _ready(f"{name}.{namespace}.{facts.own_id}" in at_broker)]
        if conditions and not says(export, conditions):
            yield export, tuple(conditions)


def _ready(offered: bool) -> Condition:  # noqa: FBT001 - a fact
    if offered:
        return Condition(type=READY, status=TRUE, reason="Exported", message="it is offered to the cluster set")
    return Condition(type=READY, status=FALSE, reason="NotExported", message="it is not offered at the broker")


def _labels(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}
