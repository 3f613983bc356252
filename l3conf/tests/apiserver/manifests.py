"""Objects that the tests share."""

from __future__ import annotations

from typing import Any


def pod(name: str = "p", namespace: str = "default", **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a Pod with one container named ``c``."""
    containers = [{"name": "c", "image": "l3conf/probe:v1"}]
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"containers": containers, **spec}}


def service(name: str = "s", **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a Service with port 80."""
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}


def config_map(name: str = "m", **data: str) -> dict[str, Any]:
    """Return a ConfigMap in namespace default."""
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


GADGETS = "gadgets.example.org"


def gadgets(**version: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the CRD of Gadgets: a bounded size, a default, status and scale."""
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "description": "How big it is."},
            "replicas": {"type": "integer", "default": 1},
            "range": {"type": "string", "format": "cidr"},
        },
    }
    status = {"type": "object", "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}}}
    v1 = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
        **version,
    }
    old = {**v1, "name": "v1beta1", "storage": False}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": GADGETS},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gd"]},
            "versions": [v1, old],
        },
    }


def gadget(name: str = "g", **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a Gadget of size 3 unless told otherwise."""
    return {
        "apiVersion": "example.org/v1",
        "kind": "Gadget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"size": 3, **spec},
    }
