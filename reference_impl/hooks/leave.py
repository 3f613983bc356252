"""leave: the others forget the member, its nodes are cleaned, its settings go.

The order makes every step repeatable: a mark on a cluster-scoped object says that nodes may hold kernel state, and
is taken away last. So it does not matter what was deleted by hand before, the namespace included.
Nothing waits longer than its bound; a node that does not report (dead, or without kubelet) is named instead.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.hooks.cluster import connect, until
from reference_impl.hooks.global_ranges import give_back
from reference_impl.hooks.identity import holder_of, uid_of
from reference_impl.hooks.mailboxes import find_mailboxes
from reference_impl.hooks.manifests import (
    agents,
    cleanup,
    global_agent,
    load,
    mailbox_name,
    member_access,
    service_discovery,
    settings,
)
from reference_impl.hooks.properties import withdraw
from reference_impl.names import (
    BROKER_AGENT,
    BROKER_NAMESPACE,
    CLEANUP_RECORD,
    CLUSTER_ID_LABEL,
    GATEWAY_LEASE,
    GLOBAL_LEDGER,
    MAILBOX,
    MANAGED_BY,
    MEMBER_NAMESPACE,
    NODES_ROLE,
    PROGRAMMED,
    SLICE_MANAGER,
)

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object
    from reference_impl.hooks.cluster import HookCluster
    from reference_impl.hooks.request import HookRequest, Member

PODS_GONE = 15.0
"""Seconds for pods to end: their grace period of 5 s, and as much again for a busy kubelet, twice."""
NODES_CLEAN = 20.0
"""Seconds for the clean-up pods to start and report."""


_PUBLISHED = (Resource.SERVICE_IMPORT, Resource.ENDPOINT_SLICE, Resource.ENDPOINT, Resource.CLUSTER)
"""What a member has at the broker, in the order in which it goes."""


async def leave(request: HookRequest) -> Object:
    """Take one cluster out of the set."""
    return await take_out(request, request.member)


async def take_out(request: HookRequest, member: Member) -> Object:
    """Take a member out; return the nodes that could not be cleaned, if any."""
    async with (
        connect(member.name, member.kubeconfig) as cluster,
        connect("broker", request.broker.kubeconfig) as broker,
    ):
        _, unclean = await asyncio.gather(_give_back(broker, cluster), _empty(cluster))
    return {"nodesNotCleaned": unclean} if unclean else {}


async def _give_back(broker: HookCluster, cluster: HookCluster) -> None:
    """Give the id back, unless another cluster holds it."""
    if await holder_of(broker, cluster.name) in {"", await uid_of(cluster)}:
        await expel(broker, cluster.name)
    else:
        sys.stderr.write(f"{cluster.name}: the id is held by another cluster, so the broker keeps it\n")


async def expel(broker: HookCluster, cluster_id: str) -> None:
    """Take a member's rights and objects from the broker; nothing is asked of the member."""
    # First its right to write at the broker, else a last act of its agents could bring an object back.
    granted = [*member_access(cluster_id), *member_access(cluster_id, mailbox=True)]
    rights = [obj for obj in granted if obj["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    await broker.delete(obj for obj in reversed(rights) if obj["metadata"]["name"] != BROKER_AGENT)
    mailboxes = await find_mailboxes(broker)
    own, label = mailbox_name(cluster_id), f"{CLUSTER_ID_LABEL}={cluster_id}"
    for resource in _PUBLISHED:
        await broker.delete_all(resource, own, labels=label)
    # The copies afterwards, else the broker's agent could make them anew; if it is away, nobody else would.
    places = {BROKER_NAMESPACE, *(obj["metadata"]["name"] for obj in mailboxes)}
    for resource in _PUBLISHED:
        found = await broker.find(resource, labels=label)
        await broker.delete(obj for obj in found if obj["metadata"]["namespace"] in places)
    await broker.delete(obj for obj in mailboxes if obj["metadata"]["labels"][MAILBOX] == cluster_id)
    await broker.delete_one(Resource.LEASE, {"name": cluster_id, "namespace": BROKER_NAMESPACE})
    await give_back(broker, cluster_id)


async def mark(cluster: HookCluster, driver: str | None) -> None:
    """Note that nodes may hold kernel state of ours with this cable driver; None: they do not."""
    patch = {"metadata": {"annotations": {PROGRAMMED: driver}}}
    await cluster.api.merge(Resource.CLUSTER_ROLE, NODES_ROLE, "", patch)


async def _marked(cluster: HookCluster) -> str:
    """Return the cable driver that nodes may hold state of, "" if they do not."""
    with suppress(NotFoundError):
        role = await cluster.api.get(Resource.CLUSTER_ROLE, NODES_ROLE)
        return str((role["metadata"].get("annotations") or {}).get(PROGRAMMED) or "")
    return ""


async def _empty(cluster: HookCluster) -> list[str]:
    """Remove agents, then kernel state, then objects; return the nodes that did not report."""
    await withdraw(cluster)
    driver = await _marked(cluster)
    if not driver:
        return []
    await _end(cluster, [*agents(driver), *global_agent(), *service_discovery()])
    await _restore_namespace(cluster)
    unclean = await _clean_nodes(cluster, cleanup(driver))
    for resource in (Resource.GATEWAY, Resource.ROUTE_AGENT, Resource.ENDPOINT, Resource.CLUSTER):
        await cluster.delete_all(resource, MEMBER_NAMESPACE)
    await cluster.delete_one(Resource.LEASE, {"name": GATEWAY_LEASE, "namespace": MEMBER_NAMESPACE})
    await _forget_services(cluster)
    await _forget_global_addresses(cluster)
    await cluster.delete(reversed(settings({}, {})))
    if not unclean:
        await mark(cluster, None)
    return unclean


async def _forget_services(cluster: HookCluster) -> None:
    """Remove what was imported from others."""
    for resource, label in (
        (Resource.SERVICE_IMPORT, "app.kubernetes.io/managed-by"),
        (Resource.ENDPOINT_SLICE, SLICE_MANAGER),
    ):
        await cluster.delete(await cluster.find(resource, labels=f"{label}={MANAGED_BY}"))


async def _forget_global_addresses(cluster: HookCluster) -> None:
    """Remove what the agent made, and take addresses off what users made: their objects stay theirs."""
    for resource in (Resource.INGRESS_IP, Resource.CLUSTER_EGRESS_IP):
        await cluster.delete(await cluster.find(resource, labels=f"app.kubernetes.io/managed-by={MANAGED_BY}"))
    for resource in (Resource.INGRESS_IP, Resource.EGRESS_IP, Resource.CLUSTER_EGRESS_IP, Resource.SERVICE_EXPORT):
        for obj in await cluster.find(resource):
            if obj.get("status"):
                nothing = {"status": dict.fromkeys(obj["status"])}
                metadata = obj["metadata"]
                with suppress(NotFoundError):
                    await cluster.api.merge_status(resource, metadata["name"], metadata.get("namespace", ""), nothing)
    await cluster.delete_one(Resource.CONFIG_MAP, {"name": GLOBAL_LEDGER, "namespace": MEMBER_NAMESPACE})


async def _restore_namespace(cluster: HookCluster) -> None:
    """Put back what the clean-up needs to run, if somebody deleted the namespace under it."""

    async def settled() -> bool:
        found = [obj for obj in await cluster.find(Resource.NAMESPACE) if obj["metadata"]["name"] == MEMBER_NAMESPACE]
        return not any("deletionTimestamp" in obj["metadata"] for obj in found)

    await until(settled, PODS_GONE)
    if not await cluster.exists(Resource.NAMESPACE, MEMBER_NAMESPACE):
        await cluster.apply(load("member/namespace.yaml", "member/rbac.yaml"))


async def _end(cluster: HookCluster, objects: list[Object]) -> None:
    """Delete DaemonSets and wait until their pods are gone."""
    await cluster.delete(objects)
    apps = {obj["metadata"]["name"] for obj in objects if Resource.of(obj) is Resource.DAEMON_SET}

    async def gone() -> bool:
        pods = await cluster.find(Resource.POD, MEMBER_NAMESPACE)
        return not any((pod["metadata"].get("labels") or {}).get("app") in apps for pod in pods)

    if not await until(gone, PODS_GONE):
        sys.stderr.write(f"{cluster.name}: pods of {', '.join(sorted(apps))} are still there, going on\n")


async def _clean_nodes(cluster: HookCluster, objects: list[Object]) -> list[str]:
    """Run the clean-up on every node that has a kubelet; return those that did not report in time."""
    await cluster.delete(objects)  # a record of an earlier, interrupted run proves nothing now
    wanted = {str(node["metadata"]["name"]) for node in await cluster.find(Resource.NODE) if _is_ready(node)}
    reported: set[str] = set()
    await cluster.apply(objects)

    async def all_clean() -> bool:
        record = await cluster.api.get(Resource.CONFIG_MAP, CLEANUP_RECORD, MEMBER_NAMESPACE)
        reported.update(record.get("data") or {})
        return wanted <= reported

    await until(all_clean, NODES_CLEAN)
    await _end(cluster, objects)
    unclean = sorted(wanted - reported)
    if unclean:
        sys.stderr.write(f"{cluster.name}: nodes {', '.join(unclean)} did not report that they are clean\n")
    return unclean


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
