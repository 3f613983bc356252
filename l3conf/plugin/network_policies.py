"""NetworkPolicies about the suite's own pods, as a cluster's administrator writes them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.places import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from l3conf.model.topology import IPNetwork
    from l3conf.plugin.cluster_api import ClusterAPI

_PATH = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
_NAME = "l3conf-only-from"


@contextmanager
def only_from(api: ClusterAPI, prefixes: Iterable[IPNetwork]) -> Iterator[None]:
    """Let the probe pods of a cluster hear these prefixes and their nodes only, while the context is open."""
    peers = [{"ipBlock": {"cidr": str(prefix)}} for prefix in prefixes]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _NAME, "namespace": NAMESPACE},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]},
    }
    answer = api.request("POST", _PATH, body=policy)
    if not answer.ok:
        raise LabError(f"a NetworkPolicy was refused ({answer.status}): {answer.message}", where=api.name)
    try:
        yield
    finally:
        api.request("DELETE", f"{_PATH}/{_NAME}")
