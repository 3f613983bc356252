"""What one node loads as policies and pods come and go."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from l3conf.emulator.policies.enforcer import POLICIES, PolicyEnforcer
from l3conf.emulator.policies.tables import NONE
from l3conf.tests.controllers.cluster import cluster, on_loop, pod
from l3conf.tests.node.fake_ground import FakeGround

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def policy(name: str, **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"podSelector": {}, **spec},
    }


async def until(ground: FakeGround, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            ground.loaded.clear()
            await ground.loaded.wait()


@on_loop
async def test_tables_come_with_a_policy_follow_pods_and_go_with_it(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        ground = FakeGround("n1")
        enforcer = PolicyEnforcer(east.api, ground=ground, service_cidrs=[IPv4Network("10.101.0.0/16")])
        enforcer.start()
        east.api.create("pods", pod("p0"))
        await east.running(1)
        await asyncio.wait_for(enforcer.synced.wait(), 5)
        assert (ground.pod_rulesets, ground.rulesets) == ({}, []), "without a policy nothing is touched"
        quiet = policy("quiet", policyTypes=["Ingress", "Egress"], ingress=[{"from": [{"podSelector": {}}]}])
        east.api.create(POLICIES, quiet)
        await until(ground, lambda: len(ground.pod_rulesets) == 1 and bool(ground.rulesets))
        (before,) = ground.pod_rulesets.values()
        assert "chain ingress" in before
        assert "chain egress" in before
        east.api.create("pods", pod("p1"))
        await east.running(2)
        await until(ground, lambda: len(ground.pod_rulesets) == 2 and before not in ground.pod_rulesets.values())
        east.api.delete(POLICIES, "quiet", namespace="default")
        await until(ground, lambda: {*ground.pod_rulesets.values(), ground.rulesets[-1]} == {NONE})
        await enforcer.stop()
