"""Offers as objects: at the broker, where each member writes its own, and as EndpointSlices anywhere. Pure.

What a member offers at the broker is called ``<service>.<namespace>.<cluster>``: services and namespaces have no dots,
so that no two members can mean the same name, whatever their ids are (docs/adr/0022).
"""

from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.names import (
    CLUSTER_ID_LABEL,
    DESERTED,
    EXPORTED,
    IMPORTED_SERVICE,
    MANAGED_BY,
    ORIGIN_LABEL,
    SLICE_MANAGER,
    SOURCE_CLUSTER,
)
from reference_impl.planner.endpoints import ready_endpoints
from reference_impl.planner.offers import LABEL, Backend, Group, Kind, Offer, Port, ports_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reference_impl.planner.global_objects import Name

Object: TypeAlias = dict[str, Any]
_LOG = logging.getLogger(__name__)
MULTICLUSTER = "multicluster.x-k8s.io/v1alpha1"
MOST_ENDPOINTS = 100
"""In one EndpointSlice, as kube-controller-manager has it by default."""


def offer_name(offer: Offer) -> str:
    """Return what an offer is called at the broker."""
    namespace, name = offer.name
    return f"{name}.{namespace}.{offer.cluster_id}"


def import_at_broker(offer: Offer, namespace: str) -> Object:
    """Return the ServiceImport by which a member offers a Service. ``namespace``: the broker's."""
    spec = import_spec(offer.kind, offer.ports, map(str, offer.addresses))
    return {
        "apiVersion": MULTICLUSTER,
        "kind": "ServiceImport",
        "metadata": {
            "name": offer_name(offer),
            "namespace": namespace,
            "labels": _origin(offer),
            "annotations": {EXPORTED: offer.since} | ({} if offer.serves else {DESERTED: "true"}),
        },
        "spec": spec,
    }


def import_spec(kind: Kind, ports: Iterable[Port], addresses: Iterable[str]) -> Object:
    """Return ``ServiceImport.spec``."""
    spec: Object = {"type": kind.value, "ports": [port_object(port) for port in ports]}
    return spec if kind is Kind.HEADLESS else {**spec, "ips": list(addresses)}


def slices_at_broker(offer: Offer, namespace: str) -> Iterator[Object]:
    """Yield the EndpointSlices of a headless Service that a member offers."""
    yield from write_slices(offer_name(offer), namespace, {**_origin(offer), **slice_labels(offer)}, offer.groups)


def slice_labels(offer: Offer) -> dict[str, str]:
    """Return the labels of EndpointSlices of an imported Service (KEP-1645)."""
    return {IMPORTED_SERVICE: offer.name[1], SOURCE_CLUSTER: offer.cluster_id, SLICE_MANAGER: MANAGED_BY}


def write_slices(prefix: str, namespace: str, labels: Mapping[str, str], groups: Iterable[Group]) -> Iterator[Object]:
    """Yield EndpointSlices; each is named after its IP version and its number among these."""
    count: dict[int, int] = {}
    for group in groups:
        for start in range(0, len(group.backends), MOST_ENDPOINTS):
            number = count[group.version] = count.get(group.version, -1) + 1
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{prefix}.ipv{group.version}-{number}",
                    "namespace": namespace,
                    "labels": dict(labels),
                },
                "addressType": f"IPv{group.version}",
                "endpoints": [_endpoint(backend) for backend in group.backends[start : start + MOST_ENDPOINTS]],
                "ports": [port_object(port) for port in group.ports],
            }


def port_object(port: Port) -> Object:
    """Return a port as Services, ServiceImports and EndpointSlices have it."""
    written: Object = {"name": port.name, "protocol": port.protocol, "port": port.number}
    return {**written, "appProtocol": port.app} if port.app else written


def _endpoint(backend: Backend) -> Object:
    written: Object = {"addresses": [str(backend.address)], "conditions": {"ready": True}}
    return {**written, "hostname": backend.hostname} if backend.hostname else written


def _origin(offer: Offer) -> dict[str, str]:
    return {CLUSTER_ID_LABEL: offer.cluster_id, ORIGIN_LABEL: offer.name[0], IMPORTED_SERVICE: offer.name[1]}


def read_offers(imports: Iterable[Object], slices: Iterable[Object]) -> tuple[Offer, ...]:
    """Return what members offer at the broker. What cannot be read is left out: it concerns its writer alone."""
    groups: dict[tuple[str, Name], list[Group]] = {}
    for piece in slices:
        try:
            owner, name = _owner(piece)
            if piece["metadata"]["name"].rpartition(".")[0] == f"{name[1]}.{name[0]}.{owner}":
                groups.setdefault((owner, name), []).append(read_group(piece))
        except Exception as error:  # noqa: BLE001 - what a peer wrote concerns that peer, whatever it does to a reader
            _LOG.warning("EndpointSlice %s: %s", piece["metadata"]["name"], error)
    found = []
    for obj in imports:
        try:
            owner, name = _owner(obj)
            offer = _read(obj, owner, name, groups.get((owner, name), ()))
            if obj["metadata"]["name"] == offer_name(offer):
                found.append(offer)
        except Exception as error:  # noqa: BLE001 - likewise
            _LOG.warning("ServiceImport %s: %s", obj["metadata"]["name"], error)
    return tuple(found)


def read_group(piece: Mapping[str, Any]) -> Group:
    """Return what an EndpointSlice holds. Raises whatever reading it raises."""
    version = {"IPv4": 4, "IPv6": 6}[piece["addressType"]]
    backends = []
    for endpoint in ready_endpoints(piece):
        address, hostname = ip_address(endpoint["addresses"][0]), str(endpoint.get("hostname") or "")
        if address.version != version or (hostname and not LABEL.fullmatch(hostname)):
            raise ValueError(f"endpoint {address} {hostname!r} of an {piece['addressType']} slice")
        backends.append(Backend(address, hostname))
    return Group(version=version, ports=_checked(ports_of(piece)), backends=tuple(backends))


def _owner(obj: Mapping[str, Any]) -> tuple[str, Name]:
    labels = obj["metadata"]["labels"]
    name = (str(labels[ORIGIN_LABEL]), str(labels[IMPORTED_SERVICE]))
    if not all(LABEL.fullmatch(part) for part in name):
        raise ValueError(f"no Service can be called {name[1]!r} in {name[0]!r}")
    return str(labels[CLUSTER_ID_LABEL]), name


def _read(obj: Mapping[str, Any], owner: str, name: Name, groups: Iterable[Group]) -> Offer:
    spec, metadata = obj["spec"], obj["metadata"]
    kind = Kind(spec["type"])
    addresses = [ip_address(text) for text in spec.get("ips") or []]
    return Offer(
        cluster_id=owner,
        name=name,
        kind=kind,
        since=str((metadata.get("annotations") or {}).get(EXPORTED) or metadata.get("creationTimestamp") or ""),
        ports=_checked(ports_of(spec)),
        addresses=() if kind is Kind.HEADLESS else tuple(addresses),
        groups=tuple(groups) if kind is Kind.HEADLESS else (),
        serves=(metadata.get("annotations") or {}).get(DESERTED) != "true",
    )


def _checked(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    for port in ports:
        if not 0 < port.number < 1 << 16 or port.protocol not in {"TCP", "UDP", "SCTP"}:
            raise ValueError(f"no port is {port.number}/{port.protocol}")
        if port.name and not LABEL.fullmatch(port.name):
            raise ValueError(f"no port is called {port.name!r}")
    return ports
