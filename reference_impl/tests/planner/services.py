"""Objects of service discovery in a few words: two members, east and west."""

from __future__ import annotations

from typing import Any, TypeAlias

from reference_impl.names import BROKER_NAMESPACE, CLUSTER_ID_LABEL, PAIR_POLICY

Object: TypeAlias = dict[str, Any]
OLD, NEW = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"
HTTP = {"name": "http", "port": 80, "protocol": "TCP"}


def service(name: str = "web", *addresses: str, ports: list[Object] | None = None, **spec: Any) -> Object:  # noqa: ANN401
    texts = list(addresses) or ["10.101.0.20"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "uid": f"service-{name}"},
        "spec": {"clusterIP": texts[0], "clusterIPs": texts, "ports": ports or [HTTP], **spec},
    }


def export(name: str = "web", created: str = OLD) -> Object:
    return {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceExport",
        "metadata": {"name": name, "namespace": "shop", "uid": f"export-{name}", "creationTimestamp": created},
    }


def pod_slice(name: str, *endpoints: Object, ports: list[Object] | None = None, family: str = "IPv4") -> Object:
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "kube"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-x7{family}", "namespace": "shop", "labels": labels},
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": ports or [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def endpoint(pod: str, address: str, **fields: Any) -> Object:  # noqa: ANN401 - JSON
    return {"addresses": [address], "targetRef": {"kind": "Pod", "name": pod}, "conditions": {"ready": True}, **fields}


def ingress(name: str, address: str | None, **spec: Any) -> Object:  # noqa: ANN401 - JSON
    status = {"allocatedIP": address} if address else {}
    metadata = {"name": name, "namespace": "shop", "uid": f"ingress-{name}"}
    return {"kind": "GlobalIngressIP", "metadata": metadata, "spec": spec, "status": status}


def namespace(name: str = "shop", **metadata: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def member(cluster_id: str, *, accepted: bool = True, isolated: bool = False) -> Object:
    condition = {"type": "Accepted", "status": "True" if accepted else "False"}
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "Cluster",
        "metadata": {
            "name": cluster_id,
            "labels": {CLUSTER_ID_LABEL: cluster_id},
            "annotations": {PAIR_POLICY: "Isolated: so it is"} if isolated else {},
        },
        "status": {"conditions": [condition]},
    }


def gateway(cluster_id: str, *subnets: str, created: str = OLD, claims: str = "") -> Object:
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "Endpoint",
        "metadata": {
            "name": f"{cluster_id}-{created}",
            "labels": {CLUSTER_ID_LABEL: cluster_id},
            "creationTimestamp": created,
        },
        "spec": {
            "cluster_id": claims or cluster_id,
            "cable_name": f"submariner-cable-{cluster_id}",
            "hostname": cluster_id,
            "subnets": list(subnets),
            "private_ip": "172.16.2.10",
            "backend": "vxlan",
        },
    }


def offered(cluster: str = "west", name: str = "web", since: str = NEW, **spec: Any) -> Object:  # noqa: ANN401 - JSON
    return {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceImport",
        "metadata": {
            "name": f"{name}.shop.{cluster}",
            "namespace": BROKER_NAMESPACE,
            "labels": {
                CLUSTER_ID_LABEL: cluster,
                "submariner-io/originatingNamespace": "shop",
                "multicluster.kubernetes.io/service-name": name,
            },
            "annotations": {"submariner.io/exported-at": since},
        },
        "spec": {"type": "ClusterSetIP", "ips": ["10.102.0.20"], "ports": [HTTP], **spec},
    }
