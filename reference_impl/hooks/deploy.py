"""deploy: kinds, namespaces and rights everywhere. Nothing runs yet but the broker's agent."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from reference_impl.drivers.api import Resource
from reference_impl.hooks.cluster import connect
from reference_impl.hooks.manifests import AGENT, IDENTITY, POLICIES, load
from reference_impl.hooks.properties import install_kind
from reference_impl.hooks.stored_versions import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster
    from reference_impl.hooks.request import HookRequest


async def deploy(request: HookRequest) -> Object:
    """Install into the broker and every member, all at once."""
    members = [
        _install(member.name, member.kubeconfig, ("crds", "member/namespace.yaml", "member/rbac.yaml"))
        for member in request.members
    ]
    await asyncio.gather(_install_broker(request.broker.kubeconfig), *members)
    return {}


async def _install_broker(kubeconfig: Path) -> None:
    await _install("broker", kubeconfig, ("crds", POLICIES, "broker/namespace.yaml", IDENTITY))
    async with connect("broker", kubeconfig) as broker:
        await install_agent(broker)


async def install_agent(broker: HookCluster) -> None:
    """Install the broker's agent, if there is a node that could run it."""
    if await broker.find(Resource.NODE):
        await broker.apply(load(AGENT))
    else:
        sys.stderr.write(
            "broker: no node can run its agent, so members share one namespace: each can read what all others"
            " publish there, whatever connection policies say. A node, and deploy again, mend that.\n"
        )


async def _install(name: str, kubeconfig: Path, manifests: tuple[str, ...]) -> None:
    async with connect(name, kubeconfig) as cluster:
        objects = load(*manifests)
        await cluster.apply(objects)
        await migrate(cluster.api, objects)
        if "member/namespace.yaml" in manifests:
            await install_kind(cluster)
