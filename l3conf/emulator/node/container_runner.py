"""One container's life: pull, create, start, watch, stop, start again.

``run`` is the whole life as one coroutine. Nothing cancels it: wishes from outside (stop, restart, look again)
set a flag and wake it, so that no process is ever started and then forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.node.container_process import ContainerProcess
from l3conf.emulator.node.container_state import ContainerState
from l3conf.emulator.node.environment import MissingReferenceError
from l3conf.emulator.node.probes import PROBES, ProbeSet
from l3conf.emulator.node.restarts import BackOff, should_restart, spoken
from l3conf.emulator.node.volume_contents import VolumeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.emulator.node.probe_checks import Outcome
    from l3conf.emulator.node.sandbox import Sandbox
    from l3conf.emulator.node_runtime import Image, RunningProcess

DEFAULT_GRACE = 30
_PROBE_NAMES = {kind: kind.removesuffix("Probe").capitalize() for kind in PROBES}


class ContainerRunner:
    """Runs one container of a pod under a restart policy."""

    def __init__(
        self, sandbox: Sandbox, container: Mapping[str, Any], *, policy: str, changed: Callable[[], None]
    ) -> None:
        self.state = ContainerState(name=container["name"], image=container["image"])
        self.process = ContainerProcess(sandbox, container)
        self.started = asyncio.Event()
        """Set once the container has started (and passed its startup probe)."""
        self._sandbox = sandbox
        self._context = sandbox.context
        self._policy = policy
        self._changed = changed
        self._wake = asyncio.Event()
        self._deadline: float | None = None
        self._restart_reason = ""
        times = self._context.back_off
        self._restarts = BackOff(times.first, times.max_container_restart_period)
        self._pulls = BackOff(times.first, times.longest)

    @property
    def container(self) -> Mapping[str, Any]:
        """The container's definition."""
        return self.process.container

    # ---- wishes from outside

    def stop(self, grace: float) -> None:
        """End the container within ``grace`` seconds and do not start it again; a shorter grace counts."""
        deadline = asyncio.get_running_loop().time() + grace
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._wake.set()

    def look_again(self) -> None:
        """Try again what waits for something in the API."""
        self._wake.set()

    def replace_image(self, image: str) -> None:
        """Run with another image: a running container is restarted."""
        self.process.container = {**self.container, "image": image}
        self.state.image = image
        if self.process.current is not None:
            self._restart(f"Container {self.state.name} definition changed, will be restarted")
        else:
            self._wake.set()

    # ---- verdicts of probes

    def probed(self, kind: str, *, success: bool) -> None:
        """Take a probe's verdict."""
        if self.process.current is None:
            return
        if kind == "readinessProbe":
            self.state.ready = success and self.state.started
        elif not success:
            self._restart(f"Container {self.state.name} failed {kind.removesuffix('Probe')} probe, will be restarted")
        elif kind == "startupProbe":
            self._mark_started()
        self._changed()

    def unhealthy(self, kind: str, outcome: Outcome) -> None:
        """Say that one attempt failed."""
        self._event("Unhealthy", f"{_PROBE_NAMES[kind]} probe failed: {outcome.message}", warning=True)

    # ---- life

    async def run(self) -> None:
        """Run until the container has ended for good."""
        while not self._is_stopping():
            image = self.process.image
            if image is None:
                await self._wait_for_image()
                continue
            process = await self._start(image)
            if process is not None:
                await self._attend(process)
            elif self.state.exit_code is None:
                await self._pause(self._context.back_off.first_retry)
                continue
            if self._is_stopping() or not should_restart(self._policy, self.state.exit_code or 0):
                break
            await self._wait_before_restart()
        self.state.settle()

    async def _start(self, image: Image) -> RunningProcess | None:
        """Start the process; None if that failed, which the state then tells."""
        self._event("Pulled", f'Container image "{self.container["image"]}" already present on machine')
        try:
            await self.process.start(image, self.state.runs)
        except (MissingReferenceError, VolumeError, StatusError) as error:
            self.state.wait("CreateContainerConfigError", str(error))
            self._event("Failed", f"Error: {error}", warning=True)
        except OSError as error:
            message = f"failed to start container: {error}"
            self.state.fail_to_start(message, self._context.now())
            self._event("Failed", f"Error: {message}", warning=True)
        else:
            self.state.run(self._context.now())
            self._event("Created", f"Created container: {self.state.name}")
            self._event("Started", f"Started container {self.state.name}")
            if not self.container.get("startupProbe"):
                self._mark_started()
        self._changed()
        return self.process.current

    def _mark_started(self) -> None:
        self.state.started = True
        self.state.ready = not self.container.get("readinessProbe")
        self.started.set()

    async def _attend(self, process: RunningProcess) -> None:
        """Stay with a running process until it has ended."""
        exited = asyncio.ensure_future(process.wait())
        exited.add_done_callback(lambda _: self._wake.set())
        probes = ProbeSet(self.container, self.process.target(), self)
        probes.start()
        try:
            await self._hook("postStart")
            while not exited.done() and not self._is_stopping() and not self._restart_reason:
                await self._wake.wait()
                self._wake.clear()
            if not exited.done():
                await self._terminate(process, exited)
        finally:
            await probes.stop()
        code = await exited
        self.process.current = None
        self._restart_reason = ""
        self.state.end(code, self._context.now(), self.process.last_words() if code else "")
        self._changed()

    async def _terminate(self, process: RunningProcess, exited: asyncio.Future[int]) -> None:
        """``preStop``, SIGTERM, the grace period, SIGKILL."""
        self._event("Killing", self._restart_reason or f"Stopping container {self.state.name}")
        own_deadline = asyncio.get_running_loop().time() + self._grace()
        if self._time_left(own_deadline) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._time_left(own_deadline)):
                    await self._hook("preStop")
            process.signal(signal.SIGTERM)
        while not exited.done() and (left := self._time_left(own_deadline)) > 0:
            await self._pause(left)
        process.signal(signal.SIGKILL)

    def _grace(self) -> float:
        return float(self._sandbox.pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE))

    def _time_left(self, own_deadline: float) -> float:
        """Return the time left: a pod's end has its own deadline, a restart the container's grace period."""
        now = asyncio.get_running_loop().time()
        return (own_deadline if self._deadline is None else self._deadline) - now

    async def _wait_before_restart(self) -> None:
        started = self.state.started_at
        delay = self._restarts.after((self._context.now() - started).total_seconds() if started else 0.0)
        if not delay:
            return
        metadata, name = self._sandbox.pod["metadata"], self.state.name
        whose = f"pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        self.state.wait("CrashLoopBackOff", f"back-off {spoken(delay)} restarting failed container={name} {whose}")
        self._changed()
        text = f"Back-off restarting failed container {name} in pod {metadata['name']}_{metadata['namespace']}"
        self._event("BackOff", f"{text}({metadata['uid']})", warning=True)
        await self._pause(delay, until_stop=True)

    async def _wait_for_image(self) -> None:
        reference = self.container["image"]
        known = ", ".join(sorted(image.name for image in self._context.images)) or "none"
        why = f'image "{reference}" stands for nothing on this host; the image table has: {known}'
        delay = self._pulls.after()
        if delay:
            self._event("BackOff", f'Back-off pulling image "{reference}"')
            self._event("Failed", "Error: ImagePullBackOff", warning=True)
            self.state.wait("ImagePullBackOff", f'Back-off pulling image "{reference}": {why}')
        else:
            self._event("Pulling", f'Pulling image "{reference}"')
            self._event("Failed", f'Failed to pull image "{reference}": {why}', warning=True)
            self._event("Failed", "Error: ErrImagePull", warning=True)
            self.state.wait("ErrImagePull", why)
        self._changed()
        await self._pause(delay)

    async def _hook(self, kind: str) -> None:
        """Run a lifecycle hook; a failing ``postStart`` ends the container."""
        outcome = await self.process.hook(kind, self._grace())
        if not outcome.success:
            reason = "FailedPostStartHook" if kind == "postStart" else "FailedPreStopHook"
            self._event(reason, f"{kind} hook failed: {outcome.message}", warning=True)
            if kind == "postStart":
                self._restart_reason = f"{reason}: container {self.state.name} will be killed"

    def _is_stopping(self) -> bool:
        return self._deadline is not None

    def _restart(self, reason: str) -> None:
        self._restart_reason = reason
        self._wake.set()

    async def _pause(self, seconds: float, *, until_stop: bool = False) -> None:
        """Wait, but not past a wish from outside (with ``until_stop``: not past ``stop``)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    if self._is_stopping() or not until_stop:
                        return

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        field = f"spec.containers{{{self.state.name}}}"
        self._context.events.record(self._sandbox.pod, reason, message, warning=warning, field=field)
