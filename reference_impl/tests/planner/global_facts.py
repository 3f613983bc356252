"""Objects about global addresses as an API holds them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.names import CLUSTER_EGRESS, ENDPOINT_ADDRESS
from reference_impl.planner.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]
POOL = ip_network("100.64.0.0/24")


def obj(api_version: str, kind: str, name: str, *, namespace: str = "demo", **fields: object) -> Object:
    metadata = {"name": name, "uid": f"uid-{kind}-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"}
    if namespace:
        metadata["namespace"] = namespace
    labels = fields.pop("labels", None)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata | ({"labels": labels} if labels else {})} | {
        name: value for name, value in fields.items() if value is not None
    }


def pod(
    name: str, *addresses: str, labels: Mapping[str, str] | None = None, phase: str = "Running", **spec: object
) -> Object:
    status = (
        {"phase": phase, "podIP": addresses[0], "podIPs": [{"ip": each} for each in addresses]} if addresses else {}
    )
    return obj("v1", "Pod", name, labels=labels, spec=spec, status=status)


def port(number: int, protocol: str | None = None, name: str | None = None) -> Object:
    fields = {"port": number, "protocol": protocol, "name": name}
    return {field: value for field, value in fields.items() if value is not None}


def service(name: str, *ports: Object, cluster_ip: str | None = "10.101.0.5", **spec: object) -> Object:
    address = {} if cluster_ip is None else {"clusterIP": cluster_ip}
    return obj("v1", "Service", name, spec={"ports": list(ports), **address, **spec})


def endpoint(*addresses: str, pod: str = "", ready: bool | None = True) -> Object:
    target = {"targetRef": {"kind": "Pod", "name": pod}} if pod else {}
    return {"addresses": list(addresses), "conditions": {} if ready is None else {"ready": ready}, **target}


def endpoint_slice(
    of: str, ports: Iterable[Object], *endpoints: Object, family: str = "IPv4", number: int = 1
) -> Object:
    labels = {"kubernetes.io/service-name": of}
    found = obj("discovery.k8s.io/v1", "EndpointSlice", f"{of}-{number}", labels=labels)
    return {**found, "addressType": family, "ports": list(ports), "endpoints": list(endpoints)}


def export(name: str) -> Object:
    return obj("multicluster.x-k8s.io/v1alpha1", "ServiceExport", name)


def ingress(name: str, spec: Object | None = None) -> Object:
    """Return a GlobalIngressIP of a pod ("pod-<name>" unless said otherwise)."""
    wanted = {"target": "HeadlessServicePod", "podRef": {"name": f"pod-{name}"}} | (spec or {})
    return obj("submariner.io/v1", "GlobalIngressIP", name, spec=wanted)


def service_ingress(name: str, of: str) -> Object:
    return ingress(name, spec={"target": "ClusterIPService", "serviceRef": {"name": of}})


def host_ingress(name: str, of: str, address: str | None) -> Object:
    """Return a GlobalIngressIP of a Service's endpoint that is no pod."""
    made = ingress(name, spec={"target": "HeadlessServiceEndpoints", "serviceRef": {"name": of}})
    return {**made, "metadata": made["metadata"] | ({"annotations": {ENDPOINT_ADDRESS: address}} if address else {})}


def egress(name: str, *, namespace: str = "demo", **spec: object) -> Object:
    return obj("submariner.io/v1", "GlobalEgressIP", name, namespace=namespace, spec=spec)


def cluster_egress(name: str = CLUSTER_EGRESS, **spec: object) -> Object:
    return obj("submariner.io/v1", "ClusterGlobalEgressIP", name, namespace="", spec=spec)


def ledger(**held: tuple[int, ...]) -> Ledger:
    """Return a ledger; owners by "<kind>_<name>" as Python has words."""
    return Ledger(pool=POOL, held={f"uid-{owner.replace('_', '-')}": offsets for owner, offsets in held.items()})
