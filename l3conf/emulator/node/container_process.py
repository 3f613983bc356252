"""Starts the processes of one container: its own, those of ``exec`` and probes, and lifecycle hooks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from l3conf.emulator.node.images import find_image, is_builtin
from l3conf.emulator.node.probe_checks import Outcome, Target, attempt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from l3conf.emulator.node.sandbox import Sandbox
    from l3conf.emulator.node_runtime import Image, RunningProcess

LONGEST_MESSAGE = 2048


class ContainerProcess:
    """The running process of a container, if there is one."""

    def __init__(self, sandbox: Sandbox, container: Mapping[str, Any]) -> None:
        self.container = container
        self.current: RunningProcess | None = None
        self.log: Path | None = None
        """Where the newest run writes."""
        self._sandbox = sandbox

    @property
    def image(self) -> Image | None:
        """The row of the image table; None for an unknown image."""
        return find_image(self._sandbox.context.images, self.container["image"])

    async def start(self, image: Image, run: int) -> None:
        """Start the nth run. Raises ``OSError`` and what ``Sandbox.container_spec`` does."""
        log = self._sandbox.log_file(self.container["name"], run)
        self.current = await self._launch(image, log)
        self.log = log

    async def _launch(self, image: Image, log: Path) -> RunningProcess:
        context, pod, network = self._sandbox.context, self._sandbox.pod, self._sandbox.network
        if network is None:
            raise RuntimeError("a container was started before its sandbox")
        if is_builtin(image, self.container) and image.builtin is not None:
            place = f"{context.cluster}/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            return await image.builtin.start(place, pod, network, lambda line: _append(log, line))
        return await context.ground.start(network, self._sandbox.container_spec(self.container, image, log))

    async def execute(
        self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int, tty: bool = False
    ) -> RunningProcess:
        """Start a further process in the container. ``OSError`` if it does not run or the program is not there."""
        image, network, current = self.image, self._sandbox.network, self.current
        if image is None or network is None or current is None:
            raise ProcessLookupError(f"container {self.container['name']} is not running")
        spec = self._sandbox.container_spec(self.container, image, None, command=argv)
        beside = current if current.pid else None
        return await self._sandbox.context.ground.exec(
            beside, network, spec, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty
        )

    def target(self) -> Target:
        """Return what probes and hooks act on."""
        ground, address = self._sandbox.context.ground, self._sandbox.addresses[0]
        return Target(ground=ground, address=address, container=self.container, execute=self.execute)

    async def hook(self, kind: str, seconds: float) -> Outcome:
        """Run ``lifecycle.postStart`` or ``preStop`` within ``seconds``; a success where there is none."""
        handler = (self.container.get("lifecycle") or {}).get(kind)
        if not handler:
            return Outcome(success=True)
        if "sleep" in handler:
            await asyncio.sleep(handler["sleep"]["seconds"])
            return Outcome(success=True)
        return await attempt({**handler, "timeoutSeconds": seconds}, self.target())

    def log_of_previous_run(self) -> Path | None:
        """Return the log of the run before the newest one: while nothing runs, the newest has just ended."""
        if self.log is None:
            return None
        path = self.log if self.current is None else self.log.with_name(f"{int(self.log.stem) - 1}.log")
        return path if path.exists() else None

    def last_words(self) -> str:
        """Return the end of the log, for ``terminationMessagePolicy: FallbackToLogsOnError``."""
        if self.log is None or self.container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return self.log.read_bytes()[-LONGEST_MESSAGE:].decode(errors="replace") if self.log.exists() else ""


def _append(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(f"{line.rstrip()}\n")
