"""Publishes Service default/kubernetes: how pods reach their cluster's API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.endpoint_slices import SERVICE_LABEL
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import ClusterAPI, Object
    from l3conf.model.topology import IPAddress, IPNetwork

NAME, NAMESPACE, PORT_NAME, PORT = "kubernetes", "default", "https", 443
CONFLICT = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Where the API server is and what it gives to its cluster."""

    addresses: tuple[IPAddress, ...]
    """Addresses that pods can reach, at most one per family."""
    port: int
    service_cidrs: tuple[IPNetwork, ...]
    ca_pem: str
    """Authority of the server's certificate."""

    @property
    def cluster_ip(self) -> IPAddress:
        """The ClusterIP of default/kubernetes: the first of the first service range."""
        return self.service_cidrs[0].network_address + 1


def publish_kubernetes_service(api: ClusterAPI, control_plane: ControlPlane) -> None:
    """Make Service, Endpoints and EndpointSlice, or leave those that are there."""
    family = IPFamily.of(control_plane.cluster_ip)
    addresses = [str(item) for item in control_plane.addresses if IPFamily.of(item) is family]
    port = {"name": PORT_NAME, "port": control_plane.port, "protocol": "TCP"}
    _create(api, "services", _service(control_plane, family))
    _create(
        api,
        "endpoints",
        _object("v1", "Endpoints")
        | {"subsets": [{"addresses": [{"ip": item} for item in addresses], "ports": [port]}]},
    )
    piece = _object("discovery.k8s.io/v1", "EndpointSlice")
    piece["metadata"]["labels"] = {SERVICE_LABEL: NAME}
    endpoints = [{"addresses": [item], "conditions": {"ready": True}} for item in addresses]
    _create(
        api,
        "endpointslices.discovery.k8s.io",
        piece | {"addressType": family.value, "endpoints": endpoints, "ports": [port]},
    )


def _service(control_plane: ControlPlane, family: IPFamily) -> Object:
    service = _object("v1", "Service")
    service["metadata"]["labels"] = {"component": "apiserver", "provider": "kubernetes"}
    service["spec"] = {
        "type": "ClusterIP",
        "clusterIP": str(control_plane.cluster_ip),
        "clusterIPs": [str(control_plane.cluster_ip)],
        "ipFamilies": [family.value],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": control_plane.port}],
        "sessionAffinity": "None",
    }
    return service


def _object(api_version: str, kind: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": NAME, "namespace": NAMESPACE}}


def _create(api: ClusterAPI, resource: str, obj: Object) -> None:
    try:
        api.create(resource, obj)
    except StatusError as error:
        if error.code != CONFLICT:
            raise
