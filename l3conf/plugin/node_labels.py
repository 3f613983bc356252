"""Labels of nodes, as administrators write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.plugin.cluster_api import ClusterAPI

GATEWAY_LABEL: Final = "submariner.io/gateway"
_MERGE_PATCH = "application/merge-patch+json"


def label_node(api: ClusterAPI, node: str, labels: Mapping[str, str | None]) -> None:
    """Set labels of a node, or take away those that are None."""
    patch = {"metadata": {"labels": dict(labels)}}
    answer = api.request("PATCH", f"/api/v1/nodes/{node}", body=patch, content_type=_MERGE_PATCH)
    if not answer.ok:
        raise LabError(f"node {node} was refused ({answer.status}): {answer.message}", where=api.name)
