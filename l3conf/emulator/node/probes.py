"""Probes of one container: startup first, then readiness and liveness, each in its own rhythm."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from l3conf.emulator.node.probe_checks import Outcome, attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.node.probe_checks import Target

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Thresholds:
    """Turns a series of outcomes into a verdict that changes only after enough equal ones. Pure."""

    def __init__(self, probe: Mapping[str, Any]) -> None:
        self._needed = {True: probe.get("successThreshold") or 1, False: probe.get("failureThreshold") or 3}
        self._last: bool | None = None
        self._run = 0

    def verdict(self, *, success: bool) -> bool | None:
        """Return the verdict once it is certain, else None."""
        self._run = self._run + 1 if success is self._last else 1
        self._last = success
        return success if self._run >= self._needed[success] else None


class Listener(Protocol):
    """The container that is probed."""

    def probed(self, kind: str, *, success: bool) -> None:
        """Take the verdict of ``startupProbe``, ``readinessProbe`` or ``livenessProbe``."""

    def unhealthy(self, kind: str, outcome: Outcome) -> None:
        """Report one failed attempt."""


class ProbeSet:
    """The running probes of one run of a container."""

    def __init__(self, container: Mapping[str, Any], target: Target, listener: Listener) -> None:
        self._container = container
        self._target = target
        self._listener = listener
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with the startup probe if there is one; the others wait for it. A container may have none."""
        if self._container.get("startupProbe"):
            self._spawn("startupProbe")
        else:
            self._spawn_rest()

    async def stop(self) -> None:
        """End all probes."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn_rest(self) -> None:
        for kind in ("readinessProbe", "livenessProbe"):
            if self._container.get(kind):
                self._spawn(kind)

    def _spawn(self, kind: str) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._run(kind)))

    async def _run(self, kind: str) -> None:
        probe = self._container[kind]
        thresholds = Thresholds(probe)
        await asyncio.sleep(probe.get("initialDelaySeconds") or 0)
        while True:
            outcome = await attempt(probe, self._target)
            if not outcome.success:
                self._listener.unhealthy(kind, outcome)
            verdict = thresholds.verdict(success=outcome.success)
            if verdict is not None:
                self._listener.probed(kind, success=verdict)
                if kind == "startupProbe" and verdict:
                    self._spawn_rest()
                    return
            await asyncio.sleep(probe.get("periodSeconds") or 10)
