"""What a cluster offers to others: its exported Services, and where each of them is reached (KEP-1645). Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.endpoints import by_service, cluster_ips, pod_of, ready_addresses, ready_endpoints
from reference_impl.planner.exports import refusal_of
from reference_impl.planner.global_objects import Target, name_of, read_ingress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.planner.global_objects import Name
    from reference_impl.state import IPAddress, IPNetwork

Object: TypeAlias = dict[str, Any]
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What Services, namespaces and hosts may be called (RFC 1123)."""


class Kind(enum.Enum):
    """``ServiceImport.spec.type``."""

    CLUSTER_SET_IP = "ClusterSetIP"
    HEADLESS = "Headless"


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a Service, or of the endpoints behind it."""

    name: str
    protocol: str
    number: int
    app: str = ""
    """``appProtocol``."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One ready endpoint of a headless Service."""

    address: IPAddress
    hostname: str = ""
    """What it is called beside its siblings; "" where it has no name that DNS could have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Endpoints of one IP version that have the same ports, as an EndpointSlice holds them."""

    version: int
    ports: tuple[Port, ...]
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A Service that one cluster exports."""

    cluster_id: str
    name: Name
    kind: Kind
    since: str
    """When it was exported; RFC 3339 in UTC sorts as text."""
    ports: tuple[Port, ...] = ()
    addresses: tuple[IPAddress, ...] = ()
    """Where all of it is reached; none of a headless one."""
    groups: tuple[Group, ...] = ()
    """Where each endpoint of a headless one is reached."""
    serves: bool = True
    """Whether anybody is ready behind the addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """At which addresses somebody reaches what this cluster has: by default at those that it has itself."""

    translated: frozenset[int] = frozenset()
    """IP versions of which only global addresses are reached."""
    services: Mapping[Name, tuple[IPAddress, ...]] = field(default_factory=dict)
    pods: Mapping[Name, tuple[IPAddress, ...]] = field(default_factory=dict)
    hosts: Mapping[tuple[Name, IPAddress], tuple[IPAddress, ...]] = field(default_factory=dict)
    """Global addresses: of Services, of pods, and of a Service's endpoints that are no pods."""

    def of_service(self, name: Name, own: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        """Return where a Service with these ClusterIPs is reached, the family that it prefers first."""
        known = self.services.get(name, ()) if any(each.version in self.translated for each in own) else ()
        found = [*known, *(each for each in own if each.version not in self.translated)]
        order = [each.version for each in own]
        return tuple(sorted(found, key=lambda each: order.index(each.version) if each.version in order else len(order)))

    def of_endpoint(self, service: Name, pod: str, own: IPAddress) -> IPAddress | None:
        """Return where an endpoint with this address is reached, a pod or ("") none; None if nowhere."""
        if own.version not in self.translated:
            return own
        known = self.pods.get((service[0], pod), ()) if pod else self.hosts.get((service, own), ())
        return next((each for each in known if each.version == own.version), None)


def abroad(global_cidrs: Iterable[IPNetwork], ingress: Iterable[Object]) -> Reach:
    """Return how other members reach this cluster. ``ingress``: its GlobalIngressIPs."""
    services: dict[Name, tuple[IPAddress, ...]] = {}
    pods: dict[Name, tuple[IPAddress, ...]] = {}
    hosts: dict[tuple[Name, IPAddress], tuple[IPAddress, ...]] = {}
    for each in sorted(read_ingress(ingress)[0], key=lambda one: (one.claim.created, one.claim.owner)):
        if each.endpoint is not None and each.claim.said:
            hosts.setdefault((each.named, each.endpoint), each.claim.said)
        elif each.claim.said:
            (services if each.target is Target.SERVICE else pods).setdefault(each.named, each.claim.said)
    return Reach(translated=frozenset(cidr.version for cidr in global_cidrs), services=services, pods=pods, hosts=hosts)


def own_offers(
    own_id: str, exports: Iterable[Object], services: Iterable[Object], slices: Iterable[Object], reach: Reach
) -> tuple[Offer, ...]:
    """Return what this cluster exports, as those see it who reach it so. What has no address yet is no offer."""
    by_name = {name_of(each): each for each in services}
    behind = by_service(slices)
    found = []
    for export in sorted(exports, key=name_of):
        name = name_of(export)
        service = by_name.get(name)
        if service is None or refusal_of(service) is not None:
            continue
        offer = _offer(own_id, export, service, behind.get(name, ()), reach)
        if offer.kind is Kind.HEADLESS or offer.addresses:
            found.append(offer)
    return tuple(found)


def _offer(own_id: str, export: Object, service: Object, slices: Iterable[Object], reach: Reach) -> Offer:
    name, spec, slices = name_of(service), service.get("spec") or {}, tuple(slices)
    own = cluster_ips(service)
    return Offer(
        cluster_id=own_id,
        name=name,
        kind=Kind.CLUSTER_SET_IP if own else Kind.HEADLESS,
        since=str(export["metadata"].get("creationTimestamp") or ""),
        ports=ports_of(spec),
        addresses=reach.of_service(name, own),
        groups=() if own else _groups(name, slices, reach),
        # Where nothing is said of endpoints at all, somebody else answers at the address.
        serves=not own or not slices or any(True for each in slices for _ in ready_addresses(each)),
    )


def ports_of(spec: Mapping[str, Any]) -> tuple[Port, ...]:
    """Return the ports of a Service, ServiceImport or EndpointSlice; those without a number say nothing."""
    return tuple(
        Port(str(port.get("name") or ""), str(port.get("protocol") or "TCP"), int(port["port"]), _app(port))
        for port in spec.get("ports") or []
        if port.get("port")
    )


def _app(port: Mapping[str, Any]) -> str:
    return str(port.get("appProtocol") or "")


def _groups(service: Name, slices: Iterable[Object], reach: Reach) -> tuple[Group, ...]:
    """Return the ready endpoints, in an order that does not depend on which slice holds them."""
    found: dict[tuple[int, tuple[Port, ...]], set[Backend]] = {}
    for piece in slices:
        ports = tuple(sorted(ports_of(piece), key=lambda port: (port.name, port.protocol, port.number)))
        for endpoint in ready_endpoints(piece):
            addresses = endpoint.get("addresses") or []
            if not addresses:
                continue
            pod, own = pod_of(endpoint), ip_address(addresses[0])
            address = reach.of_endpoint(service, pod, own)
            if address is not None:
                backend = Backend(address, str(endpoint.get("hostname") or "") or (pod if LABEL.fullmatch(pod) else ""))
                found.setdefault((address.version, ports), set()).add(backend)
    return tuple(
        Group(version=version, ports=ports, backends=tuple(sorted(backends, key=lambda each: int(each.address))))
        for (version, ports), backends in sorted(found.items(), key=lambda item: repr(item[0]))
    )
