"""What a hook is told on stdin: the cluster set as plain JSON, secrets by path only."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from l3conf.errors import LabError
from l3conf.model.implementation import Verb

if TYPE_CHECKING:
    from l3conf.labs.base import ClusterAccess, Lab
    from l3conf.model.topology import ClusterSpec

API_VERSION = "l3conf.io/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """The input of one hook call (``spec/adapter-protocol.md``)."""

    lab: Lab
    work_directory: Path
    """Kept between the calls of one run; credentials that ``deploy`` makes for ``join`` go there."""
    cluster: str = ""
    """The cluster that joins, leaves or is upgraded; empty for verbs about the whole cluster set."""
    version: str = ""
    """The version to upgrade to."""
    cable_drivers: tuple[str, ...] = ()
    """The implementation's own list, by which topologies say what a cluster may use."""
    posing: str = ""
    """Another cluster that is to be told of under the name ``cluster``."""

    def to_json(self, verb: str) -> dict[str, object]:
        """Return the JSON object that the hook reads. ``LabError`` if the broker's kubeconfig is unreadable."""
        broker = self.lab.broker
        return {
            "apiVersion": API_VERSION,
            "verb": verb,
            "clusterSet": self.lab.topology.name,
            "broker": {
                **_access(broker),
                "server": broker.member_server,
                "certificateAuthorityData": certificate_authority_data(broker.kubeconfig),
            },
            "clusters": [
                {
                    **_access(self.lab.clusters[spec.name]),
                    **_shape(spec),
                    **self._drivers(spec),
                    "name": self._name_of(spec.name),
                }
                for spec in self.lab.topology.clusters
                if self._is_listed(verb, spec.name)
            ],
            "cluster": self.cluster or None,
            "version": self.version or None,
            "workDirectory": str(self.work_directory),
        }

    def _name_of(self, cluster: str) -> str:
        return self.cluster if cluster == self.posing else cluster

    def _drivers(self, spec: ClusterSpec) -> dict[str, object]:
        """Return what a cluster may use; nothing where that is the implementation's to choose."""
        named = [self.cable_drivers[place] for place in spec.cable_drivers if place < len(self.cable_drivers)]
        return {"cableDrivers": named} if named else {}

    def _is_listed(self, verb: str, cluster: str) -> bool:
        """Whether a hook is told of a cluster: not of one that is revoked, nor of one whose name another takes."""
        return cluster != self.cluster or (verb != Verb.REVOKE.value and not self.posing)


def certificate_authority_data(kubeconfig: Path) -> str:
    """Return the CA of a kubeconfig's first cluster, PEM in base64, wherever the file keeps it."""
    try:
        cluster = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
        inline = cluster.get("certificate-authority-data", "")
        if inline or "certificate-authority" not in cluster:
            return str(inline)
        return base64.b64encode((kubeconfig.parent / Path(cluster["certificate-authority"])).read_bytes()).decode()
    except (OSError, yaml.YAMLError, LookupError, TypeError) as error:
        raise LabError(f"no cluster can be read from this kubeconfig: {error}", where=str(kubeconfig)) from error


def _access(access: ClusterAccess) -> dict[str, object]:
    """Return how an API is reached: credentials stay in the file that the path names."""
    return {"name": access.name, "kubeconfig": str(access.hook_kubeconfig or access.kubeconfig)}


def _shape(spec: ClusterSpec) -> dict[str, object]:
    return {
        "podCIDRs": [str(cidr) for cidr in spec.pod_cidrs],
        "serviceCIDRs": [str(cidr) for cidr in spec.service_cidrs],
        **_global_ranges(spec),
        "nodes": [node.name for node in spec.nodes],
        "gatewayNodes": [node.name for node in spec.gateway_nodes],
    }


def _global_ranges(spec: ClusterSpec) -> dict[str, object]:
    """Return the ranges of a cluster's global addresses; nothing where it shall have none."""
    return {} if spec.global_cidrs is None else {"globalCIDRs": [str(cidr) for cidr in spec.global_cidrs]}
