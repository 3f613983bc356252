"""Who a cluster is and which cluster set it belongs to, as KEP-2149 has it: two ClusterProperties.

The kind may be there already, from somebody else: then it is used and never changed or removed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.hooks.manifests import load
from reference_impl.names import CLUSTER_ID_PROPERTY, CLUSTER_SET_PROPERTY, MANAGED_BY

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster

MANAGER_LABEL = "app.kubernetes.io/managed-by"
_KIND = "clusterproperties.about.k8s.io"


async def install_kind(cluster: HookCluster) -> None:
    """Serve ClusterProperty, unless it is served."""
    if not await cluster.exists(Resource.CRD, _KIND):
        await cluster.apply(load("about"))


async def announce(cluster: HookCluster, cluster_id: str, cluster_set: str) -> None:
    """Publish the id and the membership."""
    values = {CLUSTER_ID_PROPERTY: cluster_id, CLUSTER_SET_PROPERTY: cluster_set}
    try:
        await cluster.apply([_property(name, value) for name, value in values.items()])
    except NotFoundError as error:
        sys.stderr.write(f"{cluster.name}: no ClusterProperties: {error}\n")


async def withdraw(cluster: HookCluster) -> None:
    """Take the membership back; the id stays the cluster's own."""
    await cluster.delete_one(Resource.CLUSTER_PROPERTY, {"name": CLUSTER_SET_PROPERTY})


async def remove_kind(cluster: HookCluster) -> None:
    """Take away what is ours: the properties, and the kind if it came with us."""
    for obj in await cluster.find(Resource.CLUSTER_PROPERTY):
        if _is_ours(obj):
            await cluster.delete_one(Resource.CLUSTER_PROPERTY, obj["metadata"])
    with suppress(NotFoundError):
        if _is_ours(await cluster.api.get(Resource.CRD, _KIND)):
            await cluster.delete_one(Resource.CRD, {"name": _KIND})


def _property(name: str, value: str) -> Object:
    head = {"apiVersion": Resource.CLUSTER_PROPERTY.api_version, "kind": Resource.CLUSTER_PROPERTY.kind}
    return {**head, "metadata": {"name": name, "labels": {MANAGER_LABEL: MANAGED_BY}}, "spec": {"value": value}}


def _is_ours(obj: Object) -> bool:
    return (obj["metadata"].get("labels") or {}).get(MANAGER_LABEL) == MANAGED_BY
