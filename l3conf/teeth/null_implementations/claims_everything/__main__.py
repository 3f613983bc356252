"""Hooks of ``claims-everything``: ``python -m … <verb>``, request on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from l3conf.plugin.cluster_api import GROUP, ClusterAPI
from l3conf.spec.package_data import load_crds

NAMESPACE = "submariner-operator"
UNAVAILABLE = 127
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAMESPACES = "/api/v1/namespaces"
_TIMEOUT = 10.0

Request = dict[str, Any]


def deploy(request: Request) -> None:
    """Install the CRDs and a namespace everywhere."""
    for api in _apis(request):
        for crd in load_crds():
            api.request("POST", _CRDS, body=crd)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        api.request("POST", _NAMESPACES, body=namespace)


def join(request: Request) -> None:
    """Write into every member what it would know of all others, and that it is connected to them."""
    for api, own in zip(_apis(request), request["clusters"], strict=False):
        others = [cluster for cluster in request["clusters"] if cluster is not own]
        for cluster in others:
            _create(api, "clusters", "Cluster", cluster["name"], {"spec": _cluster(cluster)})
            _create(api, "endpoints", "Endpoint", cluster["name"], {"spec": _endpoint(cluster)})
        connections = [{"status": "connected", "statusMessage": "", "endpoint": _endpoint(c)} for c in others]
        status = {
            "version": "0",
            "haStatus": "active",
            "statusFailure": "",
            "localEndpoint": _endpoint(own),
            "connections": connections,
        }
        _create(api, "gateways", "Gateway", own["gatewayNodes"][0], {"status": status})


def leave(request: Request) -> None:
    """Say that it is done."""
    del request


def remove(request: Request) -> None:
    """Take the CRDs and the namespace away again."""
    for api in _apis(request):
        for crd in load_crds():
            api.request("DELETE", f"{_CRDS}/{crd['metadata']['name']}")
        api.request("DELETE", f"{_NAMESPACES}/{NAMESPACE}")


def _apis(request: Request) -> list[ClusterAPI]:
    """Return clients of all clusters, the broker last."""
    places = [*request["clusters"], request["broker"]]
    return [ClusterAPI(place["name"], Path(place["kubeconfig"]), timeout=_TIMEOUT) for place in places]


def _create(api: ClusterAPI, plural: str, kind: str, name: str, content: dict[str, Any]) -> None:
    metadata = {"name": name, "namespace": NAMESPACE}
    obj = {"apiVersion": "submariner.io/v1", "kind": kind, "metadata": metadata, **content}
    api.request("POST", f"{GROUP}/namespaces/{NAMESPACE}/{plural}", body=obj)


def _cluster(cluster: dict[str, Any]) -> dict[str, Any]:
    return {
        "cluster_id": cluster["name"],
        "cluster_cidr": cluster["podCIDRs"],
        "service_cidr": cluster["serviceCIDRs"],
        "global_cidr": [],
        "color_codes": [],
    }


def _endpoint(cluster: dict[str, Any]) -> dict[str, Any]:
    return {
        "cluster_id": cluster["name"],
        "cable_name": f"submariner-cable-{cluster['name']}-192-0-2-99",
        "hostname": cluster["gatewayNodes"][0],
        "subnets": [*cluster["serviceCIDRs"], *cluster["podCIDRs"]],
        "private_ip": "192.0.2.99",
        "public_ip": "",
        "nat_enabled": False,
        "backend": "vxlan",
    }


def main() -> int:
    """Run the verb that the command line names."""
    verbs = {"deploy": deploy, "join": join, "leave": leave, "remove": remove}
    verb = verbs.get(sys.argv[-1])
    if verb is None:
        return UNAVAILABLE
    verb(json.load(sys.stdin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
