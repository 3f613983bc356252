"""What a node's proxy has to serve, as values: Services joined with their EndpointSlices. Pure.

Choices as of kube-proxy: endpoints that are ready, else those still serving while they terminate; a traffic
policy of ``Local`` keeps only endpoints on this node.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from l3conf.model.topology import IPAddress, IPFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.emulator.cluster_api import Object

SERVICE_LABEL = "kubernetes.io/service-name"
NOT_PROXIED_LABEL = "service.kubernetes.io/service-proxy-name"
"""Services with this label are another proxy's."""


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """One endpoint's address for one service port."""

    address: IPAddress
    port: int
    local: bool = False
    """Whether the endpoint runs on this node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of one Service, in one address family."""

    namespace: str
    name: str
    port_name: str
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    port: int
    cluster_ip: IPAddress
    external_ips: tuple[IPAddress, ...] = ()
    """``externalIPs`` and load balancer addresses."""
    node_port: int = 0
    """0: none."""
    backends: tuple[Backend, ...] = ()
    """All usable endpoints of the cluster, sorted."""
    internal_local: bool = False
    """``internalTrafficPolicy: Local``."""
    external_local: bool = False
    """``externalTrafficPolicy: Local``."""
    sticky: bool = False
    """``sessionAffinity: ClientIP``."""

    @property
    def label(self) -> str:
        """Return ``namespace/name/protocol/port-name``, unique in a cluster."""
        return f"{self.namespace}/{self.name}/{self.protocol}/{self.port_name}"

    @property
    def local_backends(self) -> tuple[Backend, ...]:
        """Endpoints on this node."""
        return tuple(backend for backend in self.backends if backend.local)


def service_ports(
    services: Iterable[Object], slices: Iterable[Object], *, node: str, family: IPFamily
) -> list[ServicePort]:
    """Return what ``node`` serves in one family, ordered by label. Headless Services are served by DNS alone."""
    by_service: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for piece in slices:
        metadata = piece["metadata"]
        if piece["addressType"] == family.value:
            by_service[metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_LABEL, "")].append(piece)
    found = [
        _service_port(service, port, cluster_ip, by_service.get(_key(service), ()), node)
        for service in services
        if (cluster_ip := _cluster_ip(service, family)) is not None
        for port in service["spec"].get("ports") or ()
    ]
    return sorted(found, key=lambda item: item.label)


def _key(service: Mapping[str, Any]) -> tuple[str, str]:
    return service["metadata"]["namespace"], service["metadata"]["name"]


def _cluster_ip(service: Mapping[str, Any], family: IPFamily) -> IPAddress | None:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or NOT_PROXIED_LABEL in (service["metadata"].get("labels") or {}):
        return None
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    addresses = [ip_address(text) for text in texts if text and text != "None"]
    return next((address for address in addresses if IPFamily.of(address) is family), None)


def _service_port(
    service: Mapping[str, Any], port: Mapping[str, Any], cluster_ip: IPAddress, slices: Sequence[Object], node: str
) -> ServicePort:
    spec = service["spec"]
    protocol = port.get("protocol", "TCP")
    return ServicePort(
        namespace=service["metadata"]["namespace"],
        name=service["metadata"]["name"],
        port_name=port.get("name") or "",
        protocol=protocol.lower(),
        port=int(port["port"]),
        cluster_ip=cluster_ip,
        external_ips=_external_ips(service, IPFamily.of(cluster_ip)),
        node_port=int(port.get("nodePort") or 0),
        backends=_backends(slices, port.get("name") or "", protocol, node),
        internal_local=spec.get("internalTrafficPolicy") == "Local",
        external_local=spec.get("externalTrafficPolicy") == "Local",
        sticky=spec.get("sessionAffinity") == "ClientIP",
    )


def _external_ips(service: Mapping[str, Any], family: IPFamily) -> tuple[IPAddress, ...]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    texts = [*(service["spec"].get("externalIPs") or ()), *(item["ip"] for item in ingress if item.get("ip"))]
    addresses = {ip_address(text) for text in texts}
    return tuple(sorted((item for item in addresses if IPFamily.of(item) is family), key=int))


def _backends(slices: Sequence[Object], port_name: str, protocol: str, node: str) -> tuple[Backend, ...]:
    ready: set[Backend] = set()
    draining: set[Backend] = set()
    for piece in slices:
        number = _number(piece, port_name, protocol)
        for endpoint in piece.get("endpoints") or () if number else ():
            conditions = endpoint.get("conditions") or {}
            backend = Backend(ip_address(endpoint["addresses"][0]), number, endpoint.get("nodeName") == node)
            if conditions.get("ready", True):
                ready.add(backend)
            elif conditions.get("serving") and conditions.get("terminating"):
                draining.add(backend)
    return tuple(sorted(ready or draining, key=lambda item: (int(item.address), item.port)))


def _number(piece: Mapping[str, Any], port_name: str, protocol: str) -> int:
    """Return the endpoints' number for a port of the Service, 0 if these endpoints do not have it."""
    for port in piece.get("ports") or ():
        if (port.get("name") or "") == port_name and port.get("protocol", "TCP") == protocol:
            return int(port.get("port") or 0)
    return 0
