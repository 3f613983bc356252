"""Members' namespaces at the broker, as hooks find them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.drivers.api import Resource
from reference_impl.names import MAILBOX

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster


async def find_mailboxes(broker: HookCluster) -> list[Object]:
    """Return the namespaces that are mailboxes; whose, their label ``MAILBOX`` says."""
    return [obj for obj in await broker.find(Resource.NAMESPACE) if MAILBOX in (obj["metadata"].get("labels") or {})]
