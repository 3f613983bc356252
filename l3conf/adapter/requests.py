"""What a hook is told on stdin: the cluster set as plain JSON, secrets by path only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.model.implementation import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.labs.base import ClusterAccess, Lab
    from l3conf.model.topology import ClusterSpec

API_VERSION = "l3conf.io/v1alpha1"
_ABOUT_ONE_CLUSTER = frozenset({Verb.JOIN, Verb.LEAVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """The input of one hook call."""

    lab: Lab
    cluster: str = ""
    """The cluster that joins, leaves or is upgraded; empty for verbs about the whole cluster set."""
    output_directory: Path | None = None
    """Where ``gather`` writes."""

    def to_json(self, verb: str) -> dict[str, object]:
        """Return the JSON object that the hook reads (``spec/adapter-protocol.md``)."""
        request: dict[str, object] = {
            "apiVersion": API_VERSION,
            "kind": "HookRequest",
            "verb": verb,
            "broker": _access(self.lab.broker),
            "clusters": [
                {**_access(self.lab.clusters[spec.name]), **_ranges(spec)} for spec in self.lab.topology.clusters
            ],
        }
        if self.cluster:
            request["cluster"] = self.cluster
        if self.output_directory is not None:
            request["outputDirectory"] = str(self.output_directory)
        return request


def names_a_cluster(verb: Verb) -> bool:
    """Whether a verb is about one cluster, which its request then names."""
    return verb in _ABOUT_ONE_CLUSTER


def _access(access: ClusterAccess) -> dict[str, object]:
    """Return how an API is reached: credentials stay in the file that the path names."""
    reached: dict[str, object] = {"name": access.name, "kubeconfig": str(access.kubeconfig)}
    if access.member_server:
        reached["memberServer"] = access.member_server
    return reached


def _ranges(spec: ClusterSpec) -> dict[str, object]:
    return {
        "podCIDRs": [str(cidr) for cidr in spec.pod_cidrs],
        "serviceCIDRs": [str(cidr) for cidr in spec.service_cidrs],
        "nodeCIDRs": [str(cidr) for cidr in spec.node_cidrs],
        "gatewayNodes": [node.name for node in spec.gateway_nodes],
    }
