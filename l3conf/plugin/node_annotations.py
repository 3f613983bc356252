"""What operators write on nodes: the settings ``gateway.submariner.io/…`` that every implementation may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.model.topology import Topology
    from l3conf.plugin.cluster_api import ClusterAPI

PREFIX = "gateway.submariner.io/"
_MERGE_PATCH = "application/merge-patch+json"


def write_annotations(topology: Topology, apis: Mapping[str, ClusterAPI]) -> None:
    """Write what the topology file says of its nodes."""
    for cluster in topology.clusters:
        for node in cluster.nodes:
            if node.annotations:
                annotate(apis[cluster.name], node.name, dict(node.annotations))


def annotate(api: ClusterAPI, node: str, annotations: Mapping[str, str | None]) -> dict[str, str | None]:
    """Set annotations of a node, or take away those that are None; return what was there under these keys."""
    path = f"/api/v1/nodes/{node}"
    found = api.get(path)["metadata"].get("annotations") or {}
    patch = {"metadata": {"annotations": dict(annotations)}}
    answer = api.request("PATCH", path, body=patch, content_type=_MERGE_PATCH)
    if not answer.ok:
        raise LabError(f"node {node} was refused ({answer.status}): {answer.message}", where=api.name)
    return {key: found.get(key) for key in annotations}
