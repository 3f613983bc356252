"""An API server on 127.0.0.1 in a thread of its own, for clients that block: kubectl and synchronous libraries."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.server import APIServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from l3conf.emulator.pod_access import Write

T = TypeVar("T")
SERVICE_CIDR = ipaddress.ip_network("100.96.0.0/16")
PATIENCE = 30
"""Seconds until a client that should have ended is given up."""


class EchoPods:
    """Pod access with a fixed log and a shell of three commands."""

    def __init__(self) -> None:
        self.more_log = asyncio.Event()

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield two lines, and a third one when ``more_log`` is set if followed."""
        if container not in (None, "c"):
            raise errors.bad_request(f"container {container} is not valid for pod {namespace}/{pod}")
        lines = [b"first\n", b"second\n"]
        for line in [b"previous\n"] if previous else lines[-tail_lines:] if tail_lines else lines:
            yield line
        if follow:
            await self.more_log.wait()
            yield b"third\n"

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: Sequence[str],
        *,
        stdin: asyncio.StreamReader | None,
        stdout: Write,
        stderr: Write,
        tty: bool = False,
    ) -> int:
        """Run ``echo``, ``cat`` or ``fail CODE``."""
        del namespace, pod, container, tty
        if argv[0] == "echo":
            await stdout(" ".join(argv[1:]).encode() + b"\n")
            return 0
        if argv[0] == "cat" and stdin is not None:
            while data := await stdin.read(65536):
                await stdout(data)
            return 0
        await stderr(b"failing\n")
        return int(argv[1])


class Hosted:
    """A server that listens, and the means to ask it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = APIServer("east", service_cidrs=[SERVICE_CIDR], addresses=[])
        self.pods = EchoPods()
        self.server.pod_access = self.pods
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.run(self.server.start([listener]))
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(self.server.kubeconfig(self.url))

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(task, self.loop).result(PATIENCE)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401 - passed on
        """Call a function in the server's loop."""

        async def task() -> T:
            return function(*args, **kwargs)

        return self.run(task())

    def close(self) -> None:
        """Stop the server and its thread."""
        try:
            self.run(self.server.stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(PATIENCE)
            self.loop.close()

    @property
    def environment(self) -> dict[str, str]:
        """The environment that kubectl runs in: this cluster, and a cache that is nobody else's."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.directory), "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *args: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl to its end; return what it wrote to stdout, or to both if it failed as expected."""
        ended = subprocess.run(
            ["kubectl", *args],  # noqa: S607 - found on the PATH given below
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=PATIENCE,
            check=False,
        )
        if check:
            assert ended.returncode == 0, f"kubectl {' '.join(args)}: {ended.stdout}{ended.stderr}"
            return ended.stdout
        assert ended.returncode != 0, f"kubectl {' '.join(args)} should have failed: {ended.stdout}"
        return ended.stdout + ended.stderr
