"""Which packets of this cluster change their addresses on the way to and from other members. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.flows import Bindings
from reference_impl.planner.endpoints import by_service, hosts_behind, ready_addresses
from reference_impl.planner.global_objects import Target, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv6Network

    from reference_impl.planner.global_objects import Egress, Ingress, Name
    from reference_impl.planner.ledger import Ledger
    from reference_impl.state import IPAddress, IPNetwork

Object: TypeAlias = dict[str, Any]
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod with an address of its own."""

    name: Name
    address: IPAddress
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One port of a Service, at its global address."""

    address: IPAddress
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    port: int
    backends: tuple[tuple[IPAddress, int], ...]
    """Where it leads: ready pods. Never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """All of it, of one IP version."""

    pool: IPNetwork
    hosts: Mapping[IPAddress, IPAddress] = field(default_factory=dict)
    """Local address by global one; both ways, whoever calls."""
    doors: tuple[Door, ...] = ()
    egress: Mapping[IPAddress, tuple[IPAddress, ...]] = field(default_factory=dict)
    """As whom a pod calls, if not as the cluster and not as itself."""
    cluster: tuple[IPAddress, ...] = ()
    """As whom everything else calls; empty: not at all."""
    strangers: frozenset[IPAddress] = frozenset()
    """Those of ``hosts``, local ones, that are outside of the cluster: they know no way back to other members."""
    prefixes: Mapping[IPNetwork, IPNetwork] = field(default_factory=dict)
    """Local subnet by global one, where whole prefixes are translated (``prefix_translation``)."""


def translate_prefixes(
    pool: IPv6Network,
    prefixes: Mapping[IPNetwork, IPNetwork],
    *,
    known: Mapping[Name, IPAddress],
    ingress: Iterable[Ingress],
    services: Iterable[Object],
    slices: Iterable[Object],
) -> Translation:
    """Say what is translated where every pod has its global address: Services that are offered need a door besides.

    ``known``: the global address of each Service.
    """
    wanted = {
        each.named: [known[each.named]] for each in ingress if each.target is Target.SERVICE and each.named in known
    }
    doors = tuple(_doors(wanted, services, slices, pool.version))
    return Translation(pool=pool, doors=doors, prefixes=prefixes)


def bindings(translation: Translation, ledger: Ledger | None, remote: Iterable[IPNetwork]) -> Bindings:
    """Return what flows may go on as. ``remote``: what other members are reached at."""
    doors: dict[IPAddress, set[IPAddress]] = {}
    for door in translation.doors:
        doors.setdefault(door.address, set()).update(address for address, _ in door.backends)
    callers = {local: frozenset(addresses) for local, addresses in translation.egress.items()}
    alone: dict[IPAddress, set[IPAddress]] = {}
    for known, local in translation.hosts.items():
        alone.setdefault(local, set()).add(known)
    return Bindings(
        pool=translation.pool,
        whole=bool(translation.prefixes),
        remote=frozenset(each for each in remote if each.version == translation.pool.version),
        held=frozenset(
            [ledger.pool[offset] for offsets in ledger.held.values() for offset in offsets]
            if ledger is not None
            else ()
        )
        | translation.hosts.keys(),
        callers={**callers, **{local: frozenset(known) for local, known in alone.items()}},
        others=frozenset(translation.cluster),
        targets={
            **{address: frozenset(backends) for address, backends in doors.items()},
            **{known: frozenset({local}) for known, local in translation.hosts.items()},
        },
    )


def read_pods(objects: Iterable[Object], version: int) -> tuple[Pod, ...]:
    """Return the pods that have an address of this IP version and no node's."""
    found = []
    for obj in objects:
        status, spec = obj.get("status") or {}, obj.get("spec") or {}
        if spec.get("hostNetwork") or status.get("phase") in _ENDED:
            continue
        texts = [entry.get("ip") for entry in status.get("podIPs") or []] or [status.get("podIP")]
        addresses = [ip_address(text) for text in texts if text]
        address = next((each for each in addresses if each.version == version), None)
        if address is not None:
            labels = obj["metadata"].get("labels") or {}
            found.append(Pod(name=name_of(obj), address=address, labels=labels))
    return tuple(found)


def translate(
    ledger: Ledger,
    *,
    ingress: Iterable[Ingress],
    egress: Iterable[Egress],
    pods: Iterable[Pod],
    services: Iterable[Object],
    slices: Iterable[Object],
    gateway: tuple[IPAddress, IPAddress] | None,
    inside: Sequence[IPNetwork] = (),
    reserved: Sequence[IPNetwork] = (),
) -> Translation:
    """Say what is translated into what. ``gateway``: the active gateway's global and own address.

    ``inside``: ranges from which other members are reached; ``reserved``: as ``hosts_behind`` has it.
    A pod calls under its own global address if it has one; else under those of the GlobalEgressIP that selects it,
    of its namespace, or of the cluster, the first that has any.
    """
    listed, pieces = tuple(pods), tuple(slices)
    by_name = {pod.name: pod for pod in listed}
    hosts: dict[IPAddress, IPAddress] = {} if gateway is None else {gateway[0]: gateway[1]}
    strangers: set[IPAddress] = set()
    behind = by_service(pieces)
    wanted: dict[Name, list[IPAddress]] = {}
    for each in sorted(ingress, key=lambda one: (one.claim.created, one.claim.owner)):
        for address in ledger.addresses(each.claim.owner):
            if each.target is Target.SERVICE:
                wanted.setdefault(each.named, []).append(address)
            elif each.endpoint is not None:
                if each.endpoint in hosts_behind(behind.get(each.named, ()), ledger.pool.version, reserved):
                    hosts[address] = each.endpoint
                    if not any(each.endpoint in cidr for cidr in inside):
                        strangers.add(each.endpoint)
            elif each.named in by_name:
                hosts[address] = by_name[each.named].address
    ranked = sorted((each for each in egress if ledger.held.get(each.claim.owner)), key=lambda one: one.rank)
    alone = {*hosts.values()}
    called: dict[IPAddress, tuple[IPAddress, ...]] = {}
    for pod in listed:
        chosen = next((each for each in ranked if _applies(each, pod)), None)
        if chosen is not None and chosen.namespace and pod.address not in alone:
            called[pod.address] = ledger.addresses(chosen.claim.owner)
    whole = next((each for each in ranked if not each.namespace), None)
    return Translation(
        pool=ledger.pool,
        hosts=hosts,
        doors=tuple(_doors(wanted, services, pieces, ledger.pool.version)),
        egress=called,
        strangers=frozenset(strangers),
        cluster=ledger.addresses(whole.claim.owner) if whole is not None else (),
    )


def _applies(egress: Egress, pod: Pod) -> bool:
    if egress.namespace not in {"", pod.name[0]}:
        return False
    return egress.selector is None or egress.selector.matches(pod.labels)


def _doors(
    wanted: Mapping[Name, Sequence[IPAddress]], services: Iterable[Object], slices: Iterable[Object], version: int
) -> Iterable[Door]:
    behind = by_service(each for each in slices if each.get("addressType") == f"IPv{version}")
    for service in sorted(services, key=name_of):
        name = name_of(service)
        if name not in wanted:
            continue
        for port in (service.get("spec") or {}).get("ports") or []:
            protocol = str(port.get("protocol") or "TCP")
            backends = sorted(
                {
                    (ip_address(text), int(number))
                    for each in behind.get(name, ())
                    if (number := _port(each, port.get("name") or "", protocol)) is not None
                    for text in ready_addresses(each)
                },
                key=lambda backend: (int(backend[0]), backend[1]),
            )
            if backends:
                for address in wanted[name]:
                    yield Door(
                        address=address, protocol=protocol.lower(), port=int(port["port"]), backends=tuple(backends)
                    )


def _port(endpoint_slice: Object, name: str, protocol: str) -> int | None:
    """Return the port on pods that belongs to a Service's port: the one of the same name."""
    for port in endpoint_slice.get("ports") or []:
        if (port.get("name") or "") == name and (port.get("protocol") or "TCP") == protocol:
            return int(port["port"]) if port.get("port") else None
    return None
