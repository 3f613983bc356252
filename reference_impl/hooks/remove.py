"""remove: everything out of everywhere."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from reference_impl.drivers.api import Resource
from reference_impl.hooks.cluster import connect, until
from reference_impl.hooks.leave import take_out
from reference_impl.hooks.mailboxes import find_mailboxes
from reference_impl.hooks.manifests import AGENT, IDENTITY, POLICIES, load
from reference_impl.hooks.properties import remove_kind
from reference_impl.names import BROKER_NAMESPACE, MEMBER_NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.request import HookRequest

NAMESPACE_GONE = 15.0
"""Seconds for a namespace to empty itself; past that it is left to finish on its own."""


async def remove(request: HookRequest) -> Object:
    """Take every member out, then take away what ``deploy`` brought."""
    outcomes = await asyncio.gather(*(take_out(request, member) for member in request.members))
    uninstallations = [
        _uninstall(member.name, member.kubeconfig, MEMBER_NAMESPACE, ("member/rbac.yaml",))
        for member in request.members
    ]
    await asyncio.gather(
        _uninstall("broker", request.broker.kubeconfig, BROKER_NAMESPACE, (POLICIES, IDENTITY, AGENT)), *uninstallations
    )
    unclean = {
        member.name: outcome["nodesNotCleaned"]
        for member, outcome in zip(request.members, outcomes, strict=True)
        if outcome
    }
    return {"nodesNotCleaned": unclean} if unclean else {}


async def _uninstall(name: str, kubeconfig: Path, namespace: str, manifests: tuple[str, ...]) -> None:
    async with connect(name, kubeconfig) as cluster:
        for resource in (Resource.ENDPOINT, Resource.CLUSTER):
            await cluster.delete_all(resource, namespace)
        await cluster.delete(reversed(load(*manifests)))
        await cluster.delete(await find_mailboxes(cluster))
        await cluster.delete_one(Resource.NAMESPACE, {"name": namespace})

        async def gone() -> bool:
            return not await cluster.exists(Resource.NAMESPACE, namespace)

        if not await until(gone, NAMESPACE_GONE):
            sys.stderr.write(f"{name}: namespace {namespace} is still being deleted, going on\n")
        await cluster.delete(load("crds"))
        await remove_kind(cluster)
