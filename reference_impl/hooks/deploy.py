"""deploy: kinds, namespaces and rights everywhere. Nothing runs yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reference_impl.hooks.cluster import connect
from reference_impl.hooks.manifests import IDENTITY, POLICIES, load
from reference_impl.hooks.properties import install_kind
from reference_impl.hooks.stored_versions import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.request import HookRequest


async def deploy(request: HookRequest) -> Object:
    """Install into the broker and every member, all at once."""
    members = [
        _install(member.name, member.kubeconfig, ("crds", "member/namespace.yaml", "member/rbac.yaml"))
        for member in request.members
    ]
    broker = _install("broker", request.broker.kubeconfig, ("crds", POLICIES, "broker/namespace.yaml", IDENTITY))
    await asyncio.gather(broker, *members)
    return {}


async def _install(name: str, kubeconfig: Path, manifests: tuple[str, ...]) -> None:
    async with connect(name, kubeconfig) as cluster:
        objects = load(*manifests)
        await cluster.apply(objects)
        await migrate(cluster.api, objects)
        if "member/namespace.yaml" in manifests:
            await install_kind(cluster)
