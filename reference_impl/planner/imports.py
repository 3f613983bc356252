"""What becomes of all offers of one Service: one import, and what its exporters do not agree on (KEP-1645). Pure.

The oldest export counts; where two are equally old, the lower cluster id. Its address is the import's, unless nobody is
ready there and somebody is at that of a younger one. Ports that do not contradict it are added to
its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import CLUSTER_ID_LABEL, IMPORTED_SERVICE, MANAGED_BY, PAIR_POLICY, SLICE_MANAGER
from reference_impl.planner.conditions import ACCEPTED, FALSE, TRUE, Condition
from reference_impl.planner.exports import MANAGED
from reference_impl.planner.offer_objects import MULTICLUSTER, import_spec, slice_labels, write_slices
from reference_impl.planner.offers import Backend, Group, Kind, Offer, Port
from reference_impl.protocols.object_codec import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reference_impl.planner.global_objects import Name
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, IPNetwork

Object: TypeAlias = dict[str, Any]
CONFLICT = "Conflict"
"""Type of a ServiceExport's condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A Service of the cluster set, as it is reached from here."""

    name: Name
    kind: Kind
    ports: tuple[Port, ...]
    addresses: tuple[IPAddress, ...]
    offers: tuple[Offer, ...]
    """Those that it is made of, the oldest first, with the ports that count."""
    conflicts: Mapping[str, Condition]
    """What a cluster's export says that an older one contradicts, by cluster id."""


def reachable_ranges(clusters: Iterable[Object], endpoints: Iterable[Object]) -> Mapping[str, tuple[IPNetwork, ...]]:
    """Return what each member is reached at from here: those that are connected and accepted, by cluster id.

    ``clusters`` and ``endpoints`` are this member's own copies: what connection policies keep apart has no Endpoint
    here, and whose ranges cannot be told from others' is not accepted (L3-J7, L3-H1).
    """
    accepted = {owner for each in clusters if (owner := _owner(each)) and _is_accepted(each)}
    newest: dict[str, Endpoint] = {}
    for obj in endpoints:
        owner = _owner(obj)
        try:
            endpoint = parse_endpoint(obj)
        except Exception:  # noqa: BLE001, S112 - gateways say what is wrong with it; here it leads nowhere
            continue
        if owner in accepted and endpoint.cluster_id == owner:
            newest[owner] = max(newest.get(owner, endpoint), endpoint, key=lambda each: (each.created, each.cable_name))
    return {owner: endpoint.subnets for owner, endpoint in newest.items()}


def _owner(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL) or "")


def _is_accepted(cluster: Object) -> bool:
    if (cluster["metadata"].get("annotations") or {}).get(PAIR_POLICY):
        return False
    conditions = (cluster.get("status") or {}).get("conditions") or []
    return any(each.get("type") == ACCEPTED and each.get("status") == TRUE for each in conditions)


def within_reach(offers: Iterable[Offer], ranges: Mapping[str, tuple[IPNetwork, ...]]) -> Iterator[Offer]:
    """Yield what members offer at addresses that are theirs, and reached from here: nobody speaks for another one."""
    for offer in offers:
        prefixes = ranges.get(offer.cluster_id, ())
        addresses = tuple(each for each in offer.addresses if _is_in(each, prefixes))
        groups = tuple(
            replace(group, backends=tuple(each for each in group.backends if _is_in(each.address, prefixes)))
            for group in offer.groups
        )
        if addresses or (offer.kind is Kind.HEADLESS and offer.cluster_id in ranges):
            yield replace(offer, addresses=addresses, groups=tuple(group for group in groups if group.backends))


def _is_in(address: IPAddress, prefixes: Iterable[IPNetwork]) -> bool:
    return any(address.version == prefix.version and address in prefix for prefix in prefixes)


def merge(offers: Iterable[Offer]) -> tuple[Import, ...]:
    """Return one import for every Service that is offered."""
    by_name: dict[Name, list[Offer]] = {}
    for offer in sorted(offers, key=lambda each: (each.since, each.cluster_id)):
        by_name.setdefault(offer.name, []).append(offer)
    return tuple(_merged(name, by_name[name]) for name in sorted(by_name))


def _merged(name: Name, offers: list[Offer]) -> Import:
    oldest = offers[0]
    ports: list[Port] = []
    served: list[Offer] = []
    conflicts: dict[str, Condition] = {}
    for offer in offers:
        if offer.kind is not oldest.kind:
            text = (
                f"{oldest.cluster_id} exports it as {oldest.kind.value}, and was first; here it is {offer.kind.value}"
            )
            conflicts[offer.cluster_id] = _conflict("TypeConflict", text)
            continue
        refused = [port for port in offer.ports if any(_contradict(port, other) for other in ports)]
        ports += [port for port in offer.ports if port not in refused and port not in ports]
        if refused:
            named = ", ".join(f"{port.name or port.number}/{port.protocol}" for port in refused)
            conflicts[offer.cluster_id] = _conflict("PortConflict", f"an older export has other ports than {named}")
        served.append(_without(offer, refused) if refused else offer)
    # A name must not lead to nobody while somebody serves it; who comes first does so again when it has backends.
    reached = next((offer for offer in served if offer.serves), oldest)
    return Import(
        name=name,
        kind=oldest.kind,
        ports=tuple(ports),
        addresses=reached.addresses,
        offers=tuple(served),
        conflicts=conflicts,
    )


def _contradict(one: Port, other: Port) -> bool:
    """Say whether two ports cannot both be of one Service: names are unique there, and so are protocol and number."""
    same = one.name == other.name, (one.protocol, one.number) == (other.protocol, other.number)
    return one != other and any(same)


def _without(offer: Offer, refused: list[Port]) -> Offer:
    gone = {(port.name, port.protocol) for port in refused}
    groups = [
        replace(group, ports=tuple(port for port in group.ports if (port.name, port.protocol) not in gone))
        for group in offer.groups
    ]
    return replace(offer, ports=tuple(each for each in offer.ports if each not in refused), groups=tuple(groups))


def _conflict(reason: str, message: str) -> Condition:
    return Condition(type=CONFLICT, status=TRUE, reason=reason, message=message)


def no_conflict() -> Condition:
    """Return what an export says that no older one contradicts."""
    return Condition(type=CONFLICT, status=FALSE, reason="NoConflicts", message="no older export contradicts it")


def import_object(imported: Import) -> Object:
    """Return the ServiceImport that this member's users see."""
    namespace, name = imported.name
    return {
        "apiVersion": MULTICLUSTER,
        "kind": "ServiceImport",
        "metadata": {"name": name, "namespace": namespace, "labels": {MANAGED: MANAGED_BY}},
        "spec": import_spec(imported.kind, imported.ports, map(str, imported.addresses)),
    }


def import_slices(imported: Import) -> Iterator[Object]:
    """Yield the EndpointSlices of an import: where each exporting cluster is reached."""
    namespace, name = imported.name
    for offer in imported.offers:
        yield from write_slices(f"{name}.{offer.cluster_id}", namespace, slice_labels(offer), _groups(offer))


def _groups(offer: Offer) -> Iterator[Group]:
    """Return an offer's endpoints: of a Service with an address, that address."""
    if offer.kind is Kind.HEADLESS:
        yield from offer.groups
        return
    for version in sorted({each.version for each in offer.addresses}):
        backends = tuple(Backend(each) for each in offer.addresses if each.version == version)
        yield Group(version=version, ports=offer.ports, backends=backends)


def imported_name(piece: Object) -> Name | None:
    """Return of which import an EndpointSlice is; None if it is not ours."""
    labels = piece["metadata"].get("labels") or {}
    if labels.get(SLICE_MANAGER) != MANAGED_BY or not labels.get(IMPORTED_SERVICE):
        return None
    return str(piece["metadata"].get("namespace") or ""), str(labels[IMPORTED_SERVICE])
