"""Where a Service is reached inside its cluster, and who is behind it as EndpointSlices say. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.global_objects import is_special, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.planner.global_objects import Name
    from reference_impl.state import IPAddress, IPNetwork

Object: TypeAlias = dict[str, Any]
SERVICE_LABEL = "kubernetes.io/service-name"


def cluster_ips(service: Object) -> tuple[IPAddress, ...]:
    """Return a Service's own addresses, the one of the family that it prefers first; none of a headless one."""
    spec = service.get("spec") or {}
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return tuple(ip_address(text) for text in texts if text and text != "None")


def by_service(slices: Iterable[Object]) -> dict[Name, list[Object]]:
    """Return the EndpointSlices of each Service."""
    found: dict[Name, list[Object]] = {}
    for each in slices:
        if name := (each["metadata"].get("labels") or {}).get(SERVICE_LABEL):
            found.setdefault((name_of(each)[0], name), []).append(each)
    return found


def ready_endpoints(endpoint_slice: Mapping[str, Any]) -> Iterable[Object]:
    """Yield the endpoints that take new connections; one that says nothing of it is ready (KEP-752)."""
    for endpoint in endpoint_slice.get("endpoints") or []:
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            yield endpoint


def ready_addresses(endpoint_slice: Object) -> Iterable[str]:
    """Yield the addresses that take new connections."""
    for endpoint in ready_endpoints(endpoint_slice):
        yield from endpoint.get("addresses") or []


def pod_of(endpoint: Object) -> str:
    """Return the name of the pod that an endpoint is; "" if it is none, or nobody says which."""
    target = endpoint.get("targetRef") or {}
    return str(target.get("name") or "") if target.get("kind") == "Pod" else ""


def hosts_behind(slices: Iterable[Object], version: int, reserved: Iterable[IPNetwork]) -> tuple[IPAddress, ...]:
    """Return the ready endpoints of a Service that are no pods: virtual machines, say, that somebody wrote down.

    ``reserved``: ranges in which no endpoint can be. Who writes down an address of another member, or a global one,
    would have the gateway carry on what is not for this cluster.
    """
    avoided = tuple(each for each in reserved if each.version == version)
    found = {
        address
        for each in slices
        if each.get("addressType") == f"IPv{version}"
        for endpoint in ready_endpoints(each)
        if not pod_of(endpoint)
        for address in map(ip_address, (endpoint.get("addresses") or [])[:1])
        if address.version == version and not is_special(address) and not any(address in cidr for cidr in avoided)
    }
    return tuple(sorted(found, key=int))
