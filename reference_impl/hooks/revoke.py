"""revoke: a member is expelled without its help, as when its nodes are in foreign hands.

Its account goes first: with it every token of it dies, so nothing that is deleted after can come back. Then its
objects go, and each of the others drops its cable, key and routes as soon as it sees that; they need no other news.
The member itself is not asked, and keeps what is on its nodes; ``leave`` cleans them, if one can still reach them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.hooks.cluster import connect
from reference_impl.hooks.leave import expel
from reference_impl.hooks.request import HookError

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object
    from reference_impl.hooks.request import HookRequest


async def revoke(request: HookRequest) -> Object:
    """Take a member's rights and objects from the broker."""
    if not request.cluster:
        raise HookError("request: field 'cluster' is missing")
    async with connect("broker", request.broker.kubeconfig) as broker:
        await expel(broker, request.cluster)
    return {}
