"""upgrade: bring one member, or the broker, to a version, this one or an earlier one. Repeatable.

What a version consists of is what its manifests say. Kinds go forward only: a CRD of an older release would prune
what newer members have written. What the version does not have any more, or not yet, is taken away at the end.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.hooks.carriers import with_carriers_kept
from reference_impl.hooks.cluster import connect
from reference_impl.hooks.deploy import install_agent
from reference_impl.hooks.earlier import directory_of
from reference_impl.hooks.join import join
from reference_impl.hooks.mailboxes import find_mailboxes
from reference_impl.hooks.manifests import (
    AGENT,
    IDENTITY,
    MANIFESTS,
    POLICIES,
    agents,
    cleanup,
    global_agent,
    load,
    service_discovery,
    settings,
)
from reference_impl.hooks.request import HookError
from reference_impl.hooks.stored_versions import migrate
from reference_impl.mutants import load_mutant
from reference_impl.names import MANAGED_BY, MEMBER_NAMESPACE
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster
    from reference_impl.hooks.request import HookRequest

_WORKLOADS = (Resource.DAEMON_SET,)


async def upgrade(request: HookRequest) -> Object:
    """Begin the roll-out; whoever wants to know when it has ended asks the API."""
    version = request.version or VERSION
    manifests = MANIFESTS if version == VERSION else directory_of(version) / "reference_impl" / "manifests"
    if not request.cluster:
        async with connect("broker", request.broker.kubeconfig) as broker:
            await bring_broker(broker, manifests)
        return {}
    member = request.member
    async with connect(member.name, member.kubeconfig) as cluster:
        told = await _settings(cluster)
        if version == VERSION:
            await cluster.apply(load("crds"))
        await cluster.apply(load("member/namespace.yaml", "member/rbac.yaml", manifests=manifests))
        drivers = told.get("cable-driver", "")
        wanted = [
            *agents(drivers, manifests=manifests),
            *(global_agent(manifests=manifests) if told.get("global-cidrs") else ()),
            *service_discovery(manifests=manifests),
        ]
        if version == VERSION:
            await join(request)
        else:
            wanted = load_mutant().way_back(wanted, cleanup(drivers))
            await cluster.apply(await with_carriers_kept(cluster, wanted), switches=False)
        await _prune(cluster, wanted)
    return {}


async def bring_broker(broker: HookCluster, manifests: Path) -> None:
    """Bring the broker to a version. What members' mailboxes need stays, as kinds do, for as long as there are any."""
    if manifests == MANIFESTS:
        kinds = load("crds", POLICIES)
        await broker.apply(kinds)
        await migrate(broker.api, kinds)
        await broker.apply(load("broker/namespace.yaml", IDENTITY))
        await install_agent(broker)
    elif await find_mailboxes(broker):
        sys.stderr.write("broker: members have mailboxes, so agent, rights and admission stay as they are\n")
    else:
        await broker.apply(load("broker/namespace.yaml", IDENTITY, manifests=manifests))
        await broker.delete(reversed(load(AGENT)))


async def _settings(cluster: HookCluster) -> dict[str, str]:
    try:
        found = await cluster.api.get(Resource.CONFIG_MAP, settings({}, {})[0]["metadata"]["name"], MEMBER_NAMESPACE)
    except NotFoundError:
        raise HookError(f"{cluster.name}: is no member: run join first") from None
    return dict(found.get("data") or {})


async def _prune(cluster: HookCluster, wanted: list[Object]) -> None:
    """Take away the workloads of ours that a version does not have."""
    names = {(Resource.of(obj), obj["metadata"]["name"]) for obj in wanted}
    for resource in _WORKLOADS:
        ours = await cluster.find(resource, MEMBER_NAMESPACE, labels=f"app.kubernetes.io/managed-by={MANAGED_BY}")
        for obj in ours:
            if (resource, obj["metadata"]["name"]) not in names:
                await cluster.delete_one(resource, obj["metadata"])
