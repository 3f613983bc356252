"""NetworkPolicies about the suite's own pods, as a cluster's administrator writes them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.expectations.places import NAMESPACE, PORT
from l3conf.probes.manifests import NODE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from l3conf.expectations import Pod
    from l3conf.model.topology import IPNetwork
    from l3conf.observation import Protocol
    from l3conf.plugin.cluster_api import ClusterAPI

_PATH = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
_NEIGHBOURS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}


@contextmanager
def only_from(api: ClusterAPI, prefixes: Iterable[IPNetwork]) -> Iterator[None]:
    """Let the probe pods of a cluster hear these prefixes and their nodes only, while the context is open."""
    with _in_force(api, "l3conf-only-from", {}, [{"from": _blocks(prefixes)}]):
        yield


@contextmanager
def granted(
    api: ClusterAPI, granted_: Pod, withheld: Pod, prefixes: Iterable[IPNetwork], protocol: Protocol
) -> Iterator[None]:
    """Let one pod hear these prefixes over one protocol, and another one only its own namespace, as the first, too."""
    remote = {"from": _blocks(prefixes), "ports": [{"protocol": protocol.name, "port": PORT}]}
    with ExitStack() as stack:
        for pod, rules in ((granted_, [remote]), (withheld, [])):
            selector = {"matchLabels": {NODE_LABEL: pod.site.node}}
            stack.enter_context(_in_force(api, f"l3conf-{pod.name}", selector, [*rules, {"from": [_NEIGHBOURS]}]))
        yield


def _blocks(prefixes: Iterable[IPNetwork]) -> list[dict[str, Any]]:
    return [{"ipBlock": {"cidr": str(prefix)}} for prefix in prefixes]


@contextmanager
def _in_force(api: ClusterAPI, name: str, selector: Mapping[str, Any], ingress: list[dict[str, Any]]) -> Iterator[None]:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"podSelector": dict(selector), "policyTypes": ["Ingress"], "ingress": ingress},
    }
    answer = api.request("POST", _PATH, body=policy)
    if not answer.ok:
        raise LabError(f"a NetworkPolicy was refused ({answer.status}): {answer.message}", where=api.name)
    try:
        yield
    finally:
        api.request("DELETE", f"{_PATH}/{name}")
