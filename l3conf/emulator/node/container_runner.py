"""One container's life: pull, create, start, watch, stop, start again.

``run`` is the whole life as one coroutine. Nothing cancels it: wishes from outside (stop, restart, look again)
set a flag and wake it, so that no process is ever started and then forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.conditions import timestamp
from l3conf.emulator.node.environment import MissingReferenceError
from l3conf.emulator.node.images import find_image, is_builtin
from l3conf.emulator.node.pod_status import ContainerState
from l3conf.emulator.node.probe_checks import Outcome, Target, attempt
from l3conf.emulator.node.probes import PROBES, ProbeSet
from l3conf.emulator.node.restarts import BackOff, should_restart, spoken
from l3conf.emulator.node.volume_contents import VolumeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.sandbox import Sandbox
    from l3conf.emulator.node_runtime import Image, PodNetwork, RunningProcess

START_FAILED = 128
"""Exit code of a container whose program could not be started."""
LONGEST_MESSAGE = 2048
_PROBE_NAMES = {kind: kind.removesuffix("Probe").capitalize() for kind in PROBES}


class ContainerRunner:
    """Runs one container of a pod under a restart policy."""

    def __init__(
        self, sandbox: Sandbox, container: Mapping[str, Any], *, policy: str, changed: Callable[[], None]
    ) -> None:
        self.container = container
        self.state = ContainerState(name=container["name"], image=container["image"])
        self.process: RunningProcess | None = None
        """What runs now."""
        self.started = asyncio.Event()
        """Set once the container has started (and passed its startup probe)."""
        self.log: Path | None = None
        """Where the newest run writes."""
        self._sandbox = sandbox
        self._context = sandbox.context
        self._policy = policy
        self._changed = changed
        self._wake = asyncio.Event()
        self._deadline: float | None = None
        self._grace = 30.0
        self._restart_reason = ""
        self._restarts = BackOff(self._context.back_off)
        self._pulls = BackOff(self._context.back_off)
        self._started_at: datetime | None = None
        self._runs = 0

    # ---- wishes from outside

    def stop(self, grace: float) -> None:
        """End the container within ``grace`` seconds and do not start it again; a shorter grace counts."""
        deadline = asyncio.get_running_loop().time() + grace
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._wake.set()

    def look_again(self) -> None:
        """Try again what waits for something in the API."""
        self._wake.set()

    def replace(self, container: Mapping[str, Any]) -> None:
        """Take a changed definition; a changed image restarts the container."""
        changed = container["image"] != self.container["image"]
        self.container = container
        self.state.image = container["image"]
        if changed and self.process is not None:
            self._restart(f"Container {self.state.name} definition changed, will be restarted")
        elif changed:
            self._wake.set()

    def _is_stopping(self) -> bool:
        return self._deadline is not None

    def log_of_previous_run(self) -> Path | None:
        """Return the log of the run before the newest one: while nothing runs, the newest has just ended."""
        if self.log is None:
            return None
        path = self.log if self.process is None else self.log.with_name(f"{int(self.log.stem) - 1}.log")
        return path if path.exists() else None

    # ---- verdicts of probes

    def probed(self, kind: str, *, success: bool) -> None:
        """Take a probe's verdict."""
        if self.process is None:
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
            image = find_image(self._context.images, self.container["image"])
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
        if "waiting" in self.state.state and self.state.last_state:
            self.state.state = self.state.last_state

    async def _start(self, image: Image) -> RunningProcess | None:
        """Start the process; None if that failed, which the state then tells."""
        network = self._sandbox.network
        if network is None:
            raise RuntimeError("a container was started before its sandbox")
        reference, name = self.container["image"], self.state.name
        self._event("Pulled", f'Container image "{reference}" already present on machine')
        log = self._sandbox.log_file(name, self._runs)
        try:
            process = await self._launch(image, network, log)
        except (MissingReferenceError, VolumeError, StatusError) as error:
            self._waiting("CreateContainerConfigError", str(error))
            self._event("Failed", f"Error: {error}", warning=True)
            return None
        except OSError as error:
            self._failed_to_start(error)
            return None
        self.log = log
        self._now_running(process)
        return process

    async def _launch(self, image: Image, network: PodNetwork, log: Path) -> RunningProcess:
        if is_builtin(image, self.container) and image.builtin is not None:
            metadata = self._sandbox.pod["metadata"]
            place = f"{self._context.cluster}/{metadata['namespace']}/{metadata['name']}"
            return await image.builtin.start(place, self._sandbox.pod, network, lambda line: _append(log, line))
        return await self._context.ground.start(network, self._sandbox.container_spec(self.container, image, log))

    def _now_running(self, process: RunningProcess) -> None:
        state, self._started_at = self.state, self._context.now()
        self._keep_last_state()
        self._count_run()
        state.container_id = f"l3conf://{secrets.token_hex(32)}"
        state.state = {"running": {"startedAt": timestamp(self._started_at)}}
        self.process = process
        self._event("Created", f"Created container: {state.name}")
        self._event("Started", f"Started container {state.name}")
        if not self.container.get("startupProbe"):
            self._mark_started()
        self._changed()

    def _mark_started(self) -> None:
        self.state.started = True
        self.state.ready = not self.container.get("readinessProbe")
        self.started.set()

    async def _attend(self, process: RunningProcess) -> None:
        """Stay with a running process until it has ended."""
        exited = asyncio.ensure_future(process.wait())
        exited.add_done_callback(lambda _: self._wake.set())
        probes = self._probes()
        if probes is not None:
            probes.start()
        try:
            await self._hook("postStart")
            while not exited.done() and self._deadline is None and not self._restart_reason:
                await self._wake.wait()
                self._wake.clear()
            if not exited.done():
                await self._terminate(process, exited)
        finally:
            if probes is not None:
                await probes.stop()
        self._ended(await exited)

    async def _terminate(self, process: RunningProcess, exited: asyncio.Future[int]) -> None:
        """``preStop``, SIGTERM, the grace period, SIGKILL."""
        self._event("Killing", self._restart_reason or f"Stopping container {self.state.name}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        if self._time_left(deadline) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline if self._deadline is None else self._deadline):
                    await self._hook("preStop")
            process.signal(signal.SIGTERM)
        while not exited.done() and (left := self._time_left(deadline)) > 0:
            await self._pause(left)
        process.signal(signal.SIGKILL)

    def _time_left(self, deadline: float) -> float:
        now = asyncio.get_running_loop().time()
        return (deadline if self._deadline is None else self._deadline) - now

    def _ended(self, code: int) -> None:
        state, now = self.state, self._context.now()
        terminated: Object = {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "startedAt": timestamp(self._started_at or now),
            "finishedAt": timestamp(now),
            "containerID": state.container_id,
        }
        if code and self.container.get("terminationMessagePolicy") == "FallbackToLogsOnError" and self.log:
            terminated["message"] = _tail(self.log)
        state.state = {"terminated": terminated}
        state.started = state.ready = False
        self.process = None
        self._restart_reason = ""
        self._changed()

    def _failed_to_start(self, error: OSError) -> None:
        moment = timestamp(self._context.now())
        message = f"failed to start container: {error}"
        self._event("Failed", f"Error: {message}", warning=True)
        terminated = {"exitCode": START_FAILED, "reason": "StartError", "message": message}
        self._keep_last_state()
        self._count_run()
        self.state.state = {"terminated": {**terminated, "startedAt": moment, "finishedAt": moment}}
        self._started_at = None
        self._changed()

    async def _wait_before_restart(self) -> None:
        ran_for = (self._context.now() - self._started_at).total_seconds() if self._started_at else 0.0
        delay = self._restarts.after(ran_for)
        if not delay:
            return
        metadata, name = self._sandbox.pod["metadata"], self.state.name
        whose = f"pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        self._waiting("CrashLoopBackOff", f"back-off {spoken(delay)} restarting failed container={name} {whose}")
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
            self._waiting("ImagePullBackOff", f'Back-off pulling image "{reference}": {why}')
            await self._pause(delay)
            return
        self._event("Pulling", f'Pulling image "{reference}"')
        self._event("Failed", f'Failed to pull image "{reference}": {why}', warning=True)
        self._event("Failed", "Error: ErrImagePull", warning=True)
        self._waiting("ErrImagePull", why)
        await asyncio.sleep(0)

    def _keep_last_state(self) -> None:
        if "terminated" in self.state.state:
            self.state.last_state = self.state.state

    def _count_run(self) -> None:
        self.state.restarts = self._runs
        self._runs += 1

    def _waiting(self, reason: str, message: str) -> None:
        self._keep_last_state()
        self.state.state = {"waiting": {"reason": reason, "message": message}}
        self._changed()

    # ---- hooks, probes, events

    async def _hook(self, kind: str) -> None:
        """Run ``lifecycle.postStart`` or ``preStop``; a failing ``postStart`` ends the container."""
        handler = (self.container.get("lifecycle") or {}).get(kind)
        if not handler:
            return
        if "sleep" in handler:
            await asyncio.sleep(handler["sleep"]["seconds"])
            return
        outcome = await attempt({**handler, "timeoutSeconds": self._grace}, self._target())
        if not outcome.success:
            reason = "FailedPostStartHook" if kind == "postStart" else "FailedPreStopHook"
            self._event(reason, f"{kind} hook failed: {outcome.message}", warning=True)
            if kind == "postStart":
                self._restart_reason = f"{reason}: container {self.state.name} will be killed"

    def _probes(self) -> ProbeSet | None:
        if not any(self.container.get(kind) for kind in PROBES):
            return None
        return ProbeSet(self.container, self._target(), self)

    def _target(self) -> Target:
        ground, address = self._context.ground, self._sandbox.addresses[0]
        return Target(ground=ground, address=address, container=self.container, execute=self.execute)

    async def execute(
        self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int, tty: bool = False
    ) -> RunningProcess:
        """Start a further process in the container. ``OSError`` if it does not run or the program is not there."""
        image, network = find_image(self._context.images, self.container["image"]), self._sandbox.network
        if image is None or network is None or self.process is None:
            raise ProcessLookupError(f"container {self.state.name} is not running")
        spec = self._sandbox.container_spec(self.container, image, None, command=argv)
        process = self.process if self.process.pid else None
        return await self._context.ground.exec(
            process, network, spec, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty
        )

    def _restart(self, reason: str) -> None:
        self._restart_reason = reason
        self._grace = float(self._sandbox.pod["spec"].get("terminationGracePeriodSeconds") or 30)
        self._wake.set()

    async def _pause(self, seconds: float, *, until_stop: bool = False) -> None:
        """Wait, but not past a wish from outside (with ``until_stop``: not past ``stop``)."""
        end = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(end):
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    if self._deadline is not None or not until_stop:
                        return
        except TimeoutError:
            return

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        field = f"spec.containers{{{self.state.name}}}"
        self._context.events.record(self._sandbox.pod, reason, message, warning=warning, field=field)


def _append(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(f"{line.rstrip()}\n")


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-LONGEST_MESSAGE:].decode(errors="replace")
    except OSError:
        return ""
