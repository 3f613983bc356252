from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from reference_impl.drivers.api import Object, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.hooks.cluster import HookCluster
from reference_impl.hooks.manifests import IDENTITY, MANIFESTS, member_access
from reference_impl.hooks.upgrade import bring_broker
from reference_impl.names import BROKER_AGENT, BROKER_NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

NODE: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "broker-1"}}


def earlier(folder: Path) -> Path:
    """Return manifests of a version whose admission knows no mailboxes."""
    (folder / "broker").mkdir()
    shutil.copy(MANIFESTS / "broker/namespace.yaml", folder / "broker/namespace.yaml")
    text = (MANIFESTS / IDENTITY).read_text().replace("submariner.io/cluster-set: broker", "earlier: broker")
    (folder / IDENTITY).write_text(text)
    return folder


async def _brought_back(manifests: Path, *, with_mailbox: bool) -> tuple[bool, bool]:
    """Return whether the agent is still there, and whether mailboxes are still guarded by admission."""
    broker = HookCluster("broker", FakeAPI())
    await broker.api.create(Resource.NODE, NODE)
    await bring_broker(broker, MANIFESTS)
    assert await broker.exists(Resource.DEPLOYMENT, BROKER_AGENT, BROKER_NAMESPACE)
    if with_mailbox:
        await broker.apply(member_access("east", mailbox=True))
    await bring_broker(broker, manifests)
    bindings = await broker.find(Resource.ADMISSION_BINDING)
    guarded = "earlier" not in str(bindings)
    return await broker.exists(Resource.DEPLOYMENT, BROKER_AGENT, BROKER_NAMESPACE), guarded


def test_a_broker_goes_back_once_no_member_has_a_mailbox_there(tmp_path: Path) -> None:
    manifests = earlier(tmp_path)
    assert asyncio.run(_brought_back(manifests, with_mailbox=True)) == (True, True)
    assert asyncio.run(_brought_back(manifests, with_mailbox=False)) == (False, False)
