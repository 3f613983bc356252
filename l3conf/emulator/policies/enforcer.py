"""Enforces NetworkPolicies for the pods of one node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.controllers.cache import Cache
from l3conf.emulator.node.sync_loop import SyncLoop
from l3conf.emulator.policies.allowed import EGRESS, INGRESS, addresses_of, allowed, is_subject
from l3conf.emulator.policies.tables import NONE, node_table, pod_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.emulator.cluster_api import ClusterAPI, Object
    from l3conf.emulator.node_runtime import NodeGround
    from l3conf.model.topology import IPAddress, IPNetwork

POLICIES = "networkpolicies.networking.k8s.io"
_RESOURCES = (POLICIES, "pods", "namespaces")


class PolicyEnforcer:
    """One node's part. Without a policy it loads nothing, and takes away what it loaded before."""

    def __init__(self, api: ClusterAPI, *, ground: NodeGround, service_cidrs: Sequence[IPNetwork]) -> None:
        self._cache = Cache(api)
        self._ground = ground
        self._services = tuple(service_cidrs)
        self._loaded: dict[str, str] = {}
        """Texts of tables by pod; "" stands for the node."""
        self._loop = SyncLoop(f"network policies {ground.name}", self._sync)
        self.synced = self._loop.synced
        """Set while the kernel has what the API says, as far as this node knows."""

    def start(self) -> None:
        """Begin to watch."""
        self._loop.start(self._cache, _RESOURCES)

    async def stop(self) -> None:
        """End; the rules stay."""
        self._cache.close()
        await self._loop.stop()

    async def _sync(self) -> None:
        policies = list(self._cache.list(POLICIES))
        if not policies and not self._loaded:
            return
        tables, pods = self._tables(policies)
        for uid, text in tables.items():
            if self._loaded.get(uid) != text:
                await self._load(uid, text)
                self._loaded[uid] = text
        for uid in self._loaded.keys() - tables.keys():
            if not uid or uid in pods:
                await self._load(uid, NONE)
            del self._loaded[uid]

    def _tables(self, policies: Sequence[Object]) -> tuple[dict[str, str], set[str]]:
        """Return the tables to have, and the pods of this node that may have some."""
        namespaces, pods = list(self._cache.list("namespaces")), list(self._cache.list("pods"))
        own = [pod for pod in pods if pod["spec"].get("nodeName") == self._ground.name and is_subject(pod)]
        hosts = [*self._ground.addresses, *(cidr.network_address + 1 for cidr in self._ground.pod_ranges)]
        tables: dict[str, str] = {}
        sending: dict[IPAddress, Sequence[str]] = {}
        for pod in own:
            ingress, egress = (allowed(pod, each, policies, pods, namespaces) for each in (INGRESS, EGRESS))
            if ingress is not None or egress is not None:
                tables[pod["metadata"]["uid"]] = pod_table(ingress, egress, node=hosts, services=self._services)
            if egress is not None:
                sending |= dict.fromkeys(addresses_of(pod), egress)
        if sending:
            tables[""] = node_table(sending)
        return tables, {pod["metadata"]["uid"] for pod in own}

    async def _load(self, uid: str, text: str) -> None:
        if uid:
            await self._ground.load_pod_ruleset(uid, text)
        else:
            await self._ground.load_ruleset(text)
