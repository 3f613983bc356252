"""A cluster as its own API shows it: nodes, gateways, ranges. Pure: objects in, values out.

Of several sources for a range the first that says something counts:

1. the caller's option;
2. ``kubeadm-config`` in ``kube-system`` (``networking.podSubnet``, ``serviceSubnet``);
3. ServiceCIDR objects (``networking.k8s.io``; Kubernetes 1.33);
4. the cluster's own Cluster object, where an implementation stands already;
5. for pods, the smallest prefix over the ranges of all nodes (``spec.podCIDRs``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.errors import MissingPrerequisiteError
from l3conf.model.topology import IPFamily, NodeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.model.topology import IPAddress, IPNetwork

GATEWAY_LABEL = "submariner.io/gateway"
"""Label, ``true``, of nodes that may hold cables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What was read from one API server; empty where the resource is not served or may not be read."""

    nodes: Sequence[Mapping[str, Any]]
    service_cidrs: Sequence[Mapping[str, Any]] = ()
    kubeadm: str = ""
    """``ClusterConfiguration`` of the ConfigMap, as YAML."""
    members: Sequence[Mapping[str, Any]] = ()
    """Cluster objects of the implementation."""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCluster:
    """One cluster of the ground."""

    context: str
    name: str
    """The caller's, or empty: the scenarios' own name is used."""
    nodes: tuple[NodeSpec, ...]
    pod_cidrs: tuple[IPNetwork, ...]
    service_cidrs: tuple[IPNetwork, ...]
    node_addresses: Mapping[str, tuple[IPAddress, ...]] = field(default_factory=dict)
    version: str = ""
    kernels: tuple[str, ...] = ()
    """Releases of its nodes' kernels."""

    @property
    def families(self) -> frozenset[IPFamily]:
        """Families of its pods."""
        return frozenset(map(IPFamily.of, self.pod_cidrs))


def find_cluster(
    context: str, name: str, seen: Surveyed, *, pod_cidrs: Sequence[IPNetwork], service_cidrs: Sequence[IPNetwork]
) -> FoundCluster:
    """Return a cluster from what was read; ``pod_cidrs`` and ``service_cidrs`` are the caller's, or empty.

    ``MissingPrerequisiteError`` names what cannot be found and the option or command that mends it.
    """
    ready = [node for node in seen.nodes if _is_usable(node)]
    nodes = tuple(NodeSpec(name=node["metadata"]["name"], gateway=_is_gateway(node)) for node in ready)
    if not any(node.gateway for node in nodes):
        raise MissingPrerequisiteError(
            f"no Ready Linux node has the label {GATEWAY_LABEL}=true",
            where=context,
            remedy=f"kubectl --context {context} label node NODE {GATEWAY_LABEL}=true",
        )
    called = name or context
    own = _own_member(seen.members, called)
    kubeadm = _networking(seen.kubeadm)
    pods = pod_cidrs or kubeadm.get("podSubnet") or _listed(own.get("cluster_cidr")) or _supernets(_slices(seen.nodes))
    services = (
        service_cidrs
        or kubeadm.get("serviceSubnet")
        or _service_ranges(seen.service_cidrs)
        or _listed(own.get("service_cidr"))
    )
    for what, found, option in (("pods", pods, "--pod-cidrs"), ("Services", services, "--service-cidrs")):
        if not found:
            remedy = f"say it: {option} {called}=CIDR"
            raise MissingPrerequisiteError(f"the range of {what} cannot be read", where=context, remedy=remedy)
    return FoundCluster(
        context=context,
        name=name,
        nodes=nodes,
        pod_cidrs=tuple(pods),
        service_cidrs=tuple(services),
        node_addresses={node["metadata"]["name"]: _internal_addresses(node) for node in ready},
        version=seen.version,
        kernels=tuple(sorted({kernel for node in ready if (kernel := _kernel(node))})),
    )


def _is_usable(node: Mapping[str, Any]) -> bool:
    labels = node["metadata"].get("labels") or {}
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and labels.get("kubernetes.io/os", "linux") == "linux"


def _is_gateway(node: Mapping[str, Any]) -> bool:
    return (node["metadata"].get("labels") or {}).get(GATEWAY_LABEL) == "true"


def _kernel(node: Mapping[str, Any]) -> str:
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("kernelVersion") or "")


def _internal_addresses(node: Mapping[str, Any]) -> tuple[IPAddress, ...]:
    listed = (node.get("status") or {}).get("addresses") or []
    return tuple(ip_address(one["address"]) for one in listed if one.get("type") == "InternalIP")


def _slices(nodes: Iterable[Mapping[str, Any]]) -> list[IPNetwork]:
    specs = [node.get("spec") or {} for node in nodes]
    return [ip_network(cidr) for spec in specs for cidr in spec.get("podCIDRs") or _some(spec.get("podCIDR"))]


def _some(text: str | None) -> list[str]:
    return [text] if text else []


def _supernets(slices: Iterable[IPNetwork]) -> list[IPNetwork]:
    """Return, by family, the smallest prefix that holds all of these."""
    found: dict[int, IPNetwork] = {}
    for one in slices:
        wide = found.setdefault(one.version, one)
        while not one.subnet_of(wide):  # type: ignore[arg-type]  # both of one family
            wide = wide.supernet()
        found[one.version] = wide
    return list(found.values())


def _networking(configuration: str) -> dict[str, list[IPNetwork]]:
    """Return the ranges of a kubeadm ``ClusterConfiguration``; nothing if it is none."""
    try:
        networking = (yaml.safe_load(configuration) or {}).get("networking") or {}
        return {name: _listed(str(networking.get(name) or "").split(",")) for name in ("podSubnet", "serviceSubnet")}
    except (yaml.YAMLError, AttributeError, ValueError):
        return {}


def _service_ranges(objects: Iterable[Mapping[str, Any]]) -> list[IPNetwork]:
    return _listed([cidr for obj in objects for cidr in (obj.get("spec") or {}).get("cidrs") or []])


def _own_member(members: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    specs = [obj.get("spec") or {} for obj in members]
    return next((spec for spec in specs if spec.get("cluster_id") == name), {})


def _listed(texts: Iterable[str] | None) -> list[IPNetwork]:
    return [ip_network(text.strip()) for text in texts or () if text.strip()]
