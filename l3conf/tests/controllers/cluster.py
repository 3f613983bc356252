"""A whole cluster in memory for tests: a real API server, real controllers and kubelets on a ground without kernel."""

from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.server import APIServer
from l3conf.emulator.controllers.kubernetes_service import ControlPlane
from l3conf.emulator.controllers.manager import ControllerManager
from l3conf.emulator.node.context import APIAccess, BackOffTimes
from l3conf.emulator.node.kubelet import Kubelet
from l3conf.emulator.node.pod_access import ClusterPods
from l3conf.emulator.node_runtime import Image
from l3conf.tests.node.fake_ground import FakeGround, FakeWorkload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from l3conf.emulator.cluster_api import ClusterAPI, Object

DEADLINE = 10.0
QUICK = BackOffTimes(first=0.02, longest=0.1, max_container_restart_period=0.1, first_retry=0.01)


def on_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on a loop of its own, within a deadline."""

    @functools.wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - fixtures
        async def bounded() -> None:
            async with asyncio.timeout(3 * DEADLINE):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return wrapper


class Cluster:
    """Handles for a test."""

    def __init__(self, server: APIServer, directory: Path, node_grace: float, back_off: BackOffTimes) -> None:
        self.api: ClusterAPI = server.api
        self.server = server
        self.workload = FakeWorkload()
        self.images = (
            Image(name="l3conf/probe:*", builtin=self.workload),
            Image(name="shell:v1", entrypoint=("/bin/sh",), env={"FROM_IMAGE": "yes"}),
        )
        self.grounds: dict[str, FakeGround] = {}
        self.pods = ClusterPods()
        self._directory = directory
        self._back_off = back_off
        self.control_plane = ControlPlane(
            addresses=(IPv4Address("172.16.1.2"),),
            port=6443,
            service_cidrs=(IPv4Network("10.101.0.0/16"),),
            ca_pem=server.ca_pem,
        )
        self.manager = ControllerManager(self.api, control_plane=self.control_plane, node_grace_seconds=node_grace)

    def add_node(
        self, name: str, *, ground: FakeGround | None = None, labels: dict[str, str] | None = None
    ) -> FakeGround:
        """Start a kubelet on a new node."""
        ground = ground or FakeGround(name, len(self.grounds))
        self.grounds[name] = ground
        kubelet = Kubelet(
            self.api,
            cluster="east",
            ground=ground,
            images=self.images,
            state_directory=self._directory / name,
            api_access=APIAccess(host="10.101.0.1", port=443, ca_pem=self.server.ca_pem),
            issue_token=self.server.issue_token,
            labels=labels,
            back_off=self._back_off,
        )
        self.pods.kubelets[name] = kubelet
        kubelet.start()
        return ground

    async def until(self, resource: str, holds: Callable[[list[Object]], bool], *, namespace: str = "default") -> None:
        """Wait until the objects of a resource satisfy a condition."""
        changed = asyncio.Event()
        stop = self.api.subscribe(resource, lambda _event, _obj: changed.set())
        try:
            async with asyncio.timeout(DEADLINE):
                while not holds(self.api.list(resource, namespace or None)):
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            raise AssertionError(f"{resource}: {self.api.list(resource, namespace or None)}") from None
        finally:
            stop()

    async def running(self, count: int, *, ready: bool = True) -> list[Object]:
        """Wait until there are exactly ``count`` pods and all are Running (and Ready)."""

        def holds(pods: list[Object]) -> bool:
            return len(pods) == count and all(
                pod.get("status", {}).get("phase") == "Running" and (is_ready(pod) or not ready) for pod in pods
            )

        await self.until("pods", holds)
        return self.api.list("pods", "default")

    async def settled(self, turns: int = 50) -> None:
        """Let everything that is under way on the event loop come to its end."""
        for _ in range(turns):
            await asyncio.sleep(0)


@asynccontextmanager
async def cluster(
    directory: Path, *, nodes: int = 0, node_grace: float = 40.0, back_off: BackOffTimes = QUICK
) -> AsyncIterator[Cluster]:
    """Run a cluster for a test."""
    server = APIServer("east", service_cidrs=[IPv4Network("10.101.0.0/16")], addresses=[IPv4Address("172.16.1.2")])
    made = Cluster(server, directory, node_grace, back_off)
    made.manager.start()
    for index in range(nodes):
        made.add_node(f"n{index + 1}")
    try:
        yield made
    finally:
        for kubelet in made.pods.kubelets.values():
            await kubelet.stop()
        await made.manager.stop()


def is_ready(pod: Object) -> bool:
    return any(
        item["type"] == "Ready" and item["status"] == "True" for item in pod.get("status", {}).get("conditions", [])
    )


def pod(name: str, image: str = "l3conf/probe:v1", **spec: Any) -> Object:  # noqa: ANN401 - JSON
    container = {"name": "c", "image": image, **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": spec.pop("labels", {"app": "a"})},
        "spec": {"containers": [container], **spec},
    }


def template(image: str = "l3conf/probe:v1", **spec: Any) -> Object:  # noqa: ANN401 - JSON
    container = {"name": "c", "image": image, **spec.pop("container", {})}
    return {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container], **spec}}


def daemon_set(name: str = "ds", *, strategy: Object | None = None, **spec: Any) -> Object:  # noqa: ANN401 - JSON
    made: Object = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template(**spec)},
    }
    if strategy is not None:
        made["spec"]["updateStrategy"] = strategy
    return made


def deployment(name: str = "d", *, replicas: int = 2, strategy: Object | None = None, **spec: Any) -> Object:  # noqa: ANN401
    made: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template(**spec)},
    }
    if strategy is not None:
        made["spec"]["strategy"] = strategy
    return made


def service(name: str = "svc", **spec: Any) -> Object:  # noqa: ANN401 - JSON
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": "a"}, "ports": ports, **spec},
    }
