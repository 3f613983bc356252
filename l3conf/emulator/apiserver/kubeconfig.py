"""Kubeconfig files: one cluster, one user, one context."""

from __future__ import annotations

import base64

import yaml


def make_kubeconfig(cluster: str, server_url: str, ca_pem: str, token: str, *, namespace: str = "default") -> str:
    """Return the YAML of a kubeconfig whose only context is named after the cluster."""
    user = f"{cluster}-admin"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "server": server_url,
                    "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user, "namespace": namespace}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(document, sort_keys=False)
