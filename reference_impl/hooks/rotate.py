"""rotate: have a member's gateway make a new key. It does so by itself every 30 days."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from reference_impl.drivers.api import Resource
from reference_impl.hooks.cluster import connect
from reference_impl.names import MEMBER_NAMESPACE, ROTATE_KEYS

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object
    from reference_impl.hooks.request import HookRequest


async def rotate(request: HookRequest) -> Object:
    """Put the demand on the member's own Cluster object, where its gateway looks."""
    member = request.member
    demand = dt.datetime.now(dt.UTC).isoformat()
    async with connect(member.name, member.kubeconfig) as cluster:
        patch = {"metadata": {"annotations": {ROTATE_KEYS: demand}}}
        await cluster.api.merge(Resource.CLUSTER, member.name, MEMBER_NAMESPACE, patch)
    return {}
