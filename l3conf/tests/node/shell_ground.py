"""A ground whose containers are ordinary processes of this host: for logs and exec."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import termios
from typing import TYPE_CHECKING

from l3conf.tests.node.fake_ground import FakeGround

if TYPE_CHECKING:
    from l3conf.emulator.node_runtime import ContainerSpec, PodNetwork


class ShellProcess:
    """A child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        self._ended = asyncio.ensure_future(process.wait())

    async def wait(self) -> int:
        code = await asyncio.shield(self._ended)
        return 128 - code if code < 0 else code

    def signal(self, number: int) -> None:
        if self._ended.done():
            return
        if number == signal.SIGKILL:
            os.killpg(self.pid, number)
        else:
            self._process.send_signal(number)


class ShellGround(FakeGround):
    """Starts programs for real, in this host's own namespaces."""

    async def start(self, network: PodNetwork, spec: ContainerSpec) -> ShellProcess:  # type: ignore[override]
        del network
        log = os.open(spec.log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            return await self._spawn(spec, os.open(os.devnull, os.O_RDONLY), log, log, tty=False)
        finally:
            os.close(log)

    async def exec(  # type: ignore[override]
        self,
        container: object,
        network: PodNetwork,
        spec: ContainerSpec,
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        tty: bool = False,
    ) -> ShellProcess:
        del container, network
        return await self._spawn(spec, os.dup(stdin), stdout, stderr, tty=tty)

    async def _spawn(self, spec: ContainerSpec, stdin: int, stdout: int, stderr: int, *, tty: bool) -> ShellProcess:
        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        try:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=dict(spec.env),
                start_new_session=True,
                preexec_fn=take_terminal if tty else None,
            )
        finally:
            os.close(stdin)
        return ShellProcess(process)
