"""Which cluster holds which cluster id: the account at the broker remembers whose it is.

A cluster is told from others by the UID of its namespace kube-system, which it keeps for life and nobody chooses.
The first cluster that joins under an id holds it until it leaves or is revoked; a second one is refused before
anything at the broker is touched, so that the incumbent does not notice (L3-B1).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.hooks.manifests import account_name
from reference_impl.hooks.request import HookError
from reference_impl.names import BROKER_NAMESPACE, HOLDER

if TYPE_CHECKING:
    from reference_impl.hooks.cluster import HookCluster

_KUBE_SYSTEM = "kube-system"


async def uid_of(cluster: HookCluster) -> str:
    """Return what tells a cluster from every other."""
    return str((await cluster.api.get(Resource.NAMESPACE, _KUBE_SYSTEM))["metadata"]["uid"])


async def holder_of(broker: HookCluster, cluster_id: str) -> str:
    """Return the UID of the cluster that holds an id, "" if it is free."""
    with suppress(NotFoundError):
        account = await broker.api.get(Resource.SERVICE_ACCOUNT, account_name(cluster_id), BROKER_NAMESPACE)
        return str((account["metadata"].get("annotations") or {}).get(HOLDER) or "")
    return ""


async def check_free(broker: HookCluster, cluster: HookCluster) -> str:
    """Return the cluster's UID if it may hold the id that it is joined under; ``HookError`` if another one does."""
    uid, holder = await uid_of(cluster), await holder_of(broker, cluster.name)
    if holder not in {"", uid}:
        raise HookError(
            f"cluster id {cluster.name!r} is held by another cluster (kube-system UID {holder}, here {uid}): "
            "join under another id, or let the other cluster leave or revoke it first"
        )
    return uid
