"""A cluster of a topology file as a configuration of kind (``kind.x-k8s.io/v1alpha4``). Pure.

A cluster has one control-plane node more than the topology says, with nothing on it that is tested: an API server
must not go down with a node that a test takes away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from l3conf.labs.existing.found import GATEWAY_LABEL
from l3conf.labs.kind.settings import KINDNET
from l3conf.model.topology import MAX_RESTART_PERIOD, IPFamily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.labs.kind.settings import KindSettings
    from l3conf.model.topology import ClusterSpec, IPNetwork, Topology

API_VERSION = "kind.x-k8s.io/v1alpha4"
_FAMILIES = {frozenset({IPFamily.IPV4}): "ipv4", frozenset({IPFamily.IPV6}): "ipv6", frozenset(IPFamily): "dual"}
_BACK_OFF_GATE = "KubeletCrashLoopBackOffMax"
_BROKER_RANGES = {4: ("10.240.0.0/16", "10.241.0.0/16"), 6: ("fd24::/56", "fd25::/112")}
"""Pods and Services of the broker's cluster, which nobody reaches from outside; no topology has these."""


def member_config(name: str, cluster: ClusterSpec, settings: KindSettings) -> dict[str, Any]:
    """Return the configuration of a member's cluster: a control-plane node, and a worker for each node of the file."""
    nodes = [{"role": "control-plane"}] + [
        {"role": "worker", **({"labels": {GATEWAY_LABEL: "true"}} if node.gateway else {})} for node in cluster.nodes
    ]
    config = _config(name, nodes, cluster.pod_cidrs, cluster.service_cidrs, settings)
    if cluster.max_container_restart_period != MAX_RESTART_PERIOD:
        period = f"{cluster.max_container_restart_period}s"
        config["featureGates"] = {_BACK_OFF_GATE: True}
        config["kubeadmConfigPatches"] = [
            yaml.safe_dump(
                {"kind": "KubeletConfiguration", "crashLoopBackOff": {"maxContainerRestartPeriod": period}},
                sort_keys=False,
            )
        ]
    return config


def broker_config(name: str, topology: Topology, settings: KindSettings) -> dict[str, Any]:
    """Return the configuration of the broker's cluster: one node, on the WAN, with the WAN's families."""
    families = [IPFamily.of(cidr) for cidr in topology.wan_cidrs]
    pods, services = zip(*(_BROKER_RANGES[int(family.value[-1])] for family in families), strict=True)
    return _config(name, [{"role": "control-plane"}], pods, services, settings, families=families)


def text_of(config: dict[str, Any]) -> str:
    """Return a configuration as the file that kind reads."""
    return yaml.safe_dump(config, sort_keys=False)


def _config(
    name: str,
    nodes: list[dict[str, Any]],
    pods: Sequence[IPNetwork | str],
    services: Sequence[IPNetwork | str],
    settings: KindSettings,
    *,
    families: Sequence[IPFamily] = (),
) -> dict[str, Any]:
    found = frozenset(families) or frozenset(map(IPFamily.of, [each for each in pods if not isinstance(each, str)]))
    networking: dict[str, Any] = {
        "ipFamily": _FAMILIES[found],
        "podSubnet": ",".join(map(str, pods)),
        "serviceSubnet": ",".join(map(str, services)),
    }
    if settings.cni != KINDNET:
        networking["disableDefaultCNI"] = True
    image = {"image": settings.node_image} if settings.node_image else {}
    return {
        "kind": "Cluster",
        "apiVersion": API_VERSION,
        "name": name,
        "networking": networking,
        "nodes": [{**node, **image} for node in nodes],
    }
