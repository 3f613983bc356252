"""One pod's life on a node: sandbox, init containers, containers, status, end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.conditions import timestamp
from l3conf.emulator.node.container_runner import DEFAULT_GRACE, ContainerRunner
from l3conf.emulator.node.pod_status import PodFacts
from l3conf.emulator.node.restarts import BackOff
from l3conf.emulator.node.sandbox import Sandbox
from l3conf.emulator.node.status_reporter import StatusReporter
from l3conf.emulator.node.volume_contents import VolumeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.context import NodeContext

logger = logging.getLogger(__name__)

NOT_FOUND, CONFLICT = 404, 409


class PodWorker:
    """Realises one pod. ``done`` is called once nothing of it is left on the node."""

    def __init__(self, context: NodeContext, pod: Object, done: Callable[[PodWorker], None]) -> None:
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.sandbox = Sandbox(context, pod)
        self._status = StatusReporter(context, self._facts)
        spec = self.sandbox.spec
        self.init = [self._runner(item, init=True) for item in spec.get("initContainers") or ()]
        self.containers = [self._runner(item) for item in spec["containers"]]
        self._context = context
        self._done = done
        self._start_time = timestamp(context.now())
        self._ending = asyncio.Event()
        self._grace = float(DEFAULT_GRACE)
        self._stirred = asyncio.Event()
        self._gone = False
        self._finished = False
        self._addresses = self.sandbox.addresses
        self._renewal: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"pod {self.pod['metadata']['name']}")
        self._task.add_done_callback(self._ended)
        self.update(self.pod)

    def update(self, pod: Object) -> None:
        """Take the pod's newest state from the API."""
        self.pod = self.sandbox.pod = pod
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            self.end(float(metadata.get("deletionGracePeriodSeconds", DEFAULT_GRACE)))
            return
        self._status.seen(pod)
        wanted = {item["name"]: item for item in pod["spec"]["containers"]}
        for runner in self.containers:
            container = wanted.get(runner.state.name)
            if container is not None and container["image"] != runner.container["image"]:
                runner.replace_image(container["image"])

    def vanish(self) -> None:
        """End a pod that the API has forgotten already, without saying anything more."""
        self._gone = True
        self._status.close()
        self.end(0.0)

    def source_changed(self, resource: str, name: str) -> None:
        """Look again at what depends on a ConfigMap or Secret of the pod's namespace."""
        self._stirred.set()
        for runner in (*self.init, *self.containers):
            if "waiting" in runner.state.state:
                runner.look_again()
        if self.sandbox.volumes.uses(resource, name):
            self._refresh_volumes()

    def end(self, grace: float) -> None:
        """End all containers within ``grace`` seconds and go. A later call may shorten the time."""
        self._grace = min(self._grace, grace) if self._ending.is_set() else grace
        self._ending.set()
        self._stirred.set()
        for runner in self.containers:
            runner.stop(self._grace)
        for runner in self.init:
            if not _is_sidecar(runner.container) or self._task is None:
                runner.stop(self._grace)

    async def shut_down(self) -> None:
        """End with the kubelet: at once, and without a word to the API."""
        self.vanish()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    # ---- life

    async def _run(self) -> None:
        sidecars: list[tuple[ContainerRunner, asyncio.Task[None]]] = []
        try:
            if await self._open() and await self._initialise(sidecars):
                await asyncio.gather(*(runner.run() for runner in self.containers))
        finally:
            await self._stop_sidecars(sidecars)
        self._finished = True
        self._cancel_renewal()
        await self.sandbox.close()
        self._status.write()
        await self._ending.wait()
        self._leave()

    async def _open(self) -> bool:
        """Make the sandbox, as often as it takes; False if the pod is to end before."""
        times = self._context.back_off
        delays = BackOff(times.first_retry, times.longest)
        delays.after()
        while not self._ending.is_set():
            try:
                await self.sandbox.open()
            except VolumeError as error:
                self._event("FailedMount", str(error))
            except Exception as error:  # noqa: BLE001 - whatever broke, the pod says so and is tried again
                self._event("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
                logger.warning("pod %s: %s", self.pod["metadata"]["name"], error)
            else:
                self._addresses = self.sandbox.addresses
                self._plan_renewal()
                self._status.changed()
                return not self._ending.is_set()
            self._status.changed()
            await self._pause(delays.after())
        return False

    async def _initialise(self, sidecars: list[tuple[ContainerRunner, asyncio.Task[None]]]) -> bool:
        """Run init containers in order; False if one failed for good or the pod is to end."""
        for runner in self.init:
            if _is_sidecar(runner.container):
                task = asyncio.get_running_loop().create_task(runner.run())
                sidecars.append((runner, task))
                await _first(runner.started.wait(), self._ending.wait())
            else:
                await runner.run()
                if runner.state.exit_code != 0:
                    return False
                runner.state.ready = True
            if self._ending.is_set():
                return False
        return True

    async def _stop_sidecars(self, sidecars: Iterable[tuple[ContainerRunner, asyncio.Task[None]]]) -> None:
        """Sidecars outlive the containers that they serve, and go in the opposite order."""
        for runner, task in reversed(list(sidecars)):
            runner.stop(self._grace)
            await asyncio.gather(task, return_exceptions=True)

    def _leave(self) -> None:
        """Remove what is left on disk, and the object."""
        self.sandbox.volumes.remove()
        if self._gone:
            return
        metadata = self.pod["metadata"]
        try:
            self._context.api.delete(
                "pods", metadata["name"], metadata["namespace"], grace_period_seconds=0, uid=self.uid
            )
        except StatusError as error:
            if error.code not in {NOT_FOUND, CONFLICT}:
                logger.warning("pod %s: cannot be removed from the API: %s", metadata["name"], error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._status.close()
        self._cancel_renewal()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("pod %s: its worker failed", self.pod["metadata"]["name"], exc_info=error)
        self._done(self)

    # ---- volumes

    def _refresh_volumes(self) -> None:
        try:
            self.sandbox.refresh_volumes()
        except (VolumeError, StatusError) as error:
            self._event("FailedMount", str(error))
        self._plan_renewal()

    def _plan_renewal(self) -> None:
        """Tokens are renewed at four fifths of their life."""
        seconds = self.sandbox.volumes.seconds_until_renewal()
        self._cancel_renewal()
        if seconds is not None:
            self._renewal = asyncio.get_running_loop().call_later(seconds + 0.1, self._refresh_volumes)

    # ---- status

    def _facts(self) -> PodFacts:
        return PodFacts(
            pod=self.pod,
            host_addresses=self._context.ground.addresses,
            addresses=self._addresses,
            init=[runner.state for runner in self.init],
            containers=[runner.state for runner in self.containers],
            start_time=self._start_time,
            finished=self._finished,
        )

    def _runner(self, container: Mapping[str, Any], *, init: bool = False) -> ContainerRunner:
        policy = self.pod["spec"].get("restartPolicy") or "Always"
        if init:
            policy = container.get("restartPolicy") or ("OnFailure" if policy == "Always" else policy)
        return ContainerRunner(self.sandbox, container, policy=policy, changed=self._status.changed)

    def _event(self, reason: str, message: str) -> None:
        self._context.events.record(self.pod, reason, message, warning=True)

    async def _pause(self, seconds: float) -> None:
        self._stirred.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return

    def _cancel_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None


def _is_sidecar(container: Mapping[str, Any]) -> bool:
    return container.get("restartPolicy") == "Always"


async def _first(*awaitables: Any) -> None:  # noqa: ANN401 - coroutines of any result
    """Wait for the first, end the others."""
    tasks = [asyncio.ensure_future(item) for item in awaitables]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
