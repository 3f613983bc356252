"""One probe attempt: exec, httpGet or tcpSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from l3conf.emulator.node_runtime import NodeGround, RunningProcess
    from l3conf.model.topology import IPAddress

HTTP_OK = range(200, 400)
MOST_OUTPUT = 1024
"""Bytes of a command's output that go into the Event."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether an attempt succeeded, and what a person should read if not."""

    success: bool
    message: str = ""


class Executor(Protocol):
    """Starts a process in the probed container."""

    async def __call__(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int) -> RunningProcess:
        """As ``NodeGround.exec``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is probed."""

    ground: NodeGround
    address: IPAddress
    container: Mapping[str, Any]
    execute: Executor


async def attempt(probe: Mapping[str, Any], target: Target) -> Outcome:
    """Carry out one attempt within the probe's timeout. Only cancellation raises."""
    timeout = probe.get("timeoutSeconds") or 1
    try:
        async with asyncio.timeout(timeout):
            if action := probe.get("exec"):
                return await _exec(action.get("command") or (), target)
            if action := probe.get("httpGet"):
                return await _http(action, target)
            if action := probe.get("tcpSocket"):
                return await _tcp(action, target)
    except TimeoutError:
        return Outcome(success=False, message=f"timed out after {timeout}s")
    except (OSError, ValueError) as error:
        return Outcome(success=False, message=str(error))
    return Outcome(success=False, message="this kind of probe is not supported here: use exec, httpGet or tcpSocket")


async def _exec(argv: Sequence[str], target: Target) -> Outcome:
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    process: RunningProcess | None = None
    try:
        process = await target.execute(argv, stdin=null, stdout=write, stderr=write)
        code = await process.wait()
        output = b""
        with contextlib.suppress(BlockingIOError):
            output = os.read(read, MOST_OUTPUT)
        return Outcome(code == 0, output.decode(errors="replace").strip() or f"exit code {code}")
    except asyncio.CancelledError:
        if process is not None:
            process.signal(signal.SIGKILL)
        raise
    finally:
        for descriptor in (read, write, null):
            os.close(descriptor)


async def _tcp(action: Mapping[str, Any], target: Target) -> Outcome:
    _, writer = await _connect(action, target)
    writer.close()
    return Outcome(success=True)


async def _http(action: Mapping[str, Any], target: Target) -> Outcome:
    reader, writer = await _connect(action, target)
    try:
        if action.get("scheme") == "HTTPS":
            await writer.start_tls(_unverified())
        writer.write(_request(action, target).encode())
        line = (await reader.readline()).decode(errors="replace").split()
    finally:
        writer.close()
    status = int(line[1]) if len(line) > 1 and line[1].isdigit() else 0
    return Outcome(status in HTTP_OK, f"HTTP probe failed with statuscode: {status}")


def _unverified() -> ssl.SSLContext:
    """Trust any certificate, as the kubelet does of what it probes."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request(action: Mapping[str, Any], target: Target) -> str:
    headers = {item["name"]: item["value"] for item in action.get("httpHeaders") or ()}
    host = action.get("host") or str(target.address)
    headers = {"Host": host, "User-Agent": "kube-probe/1.32", "Accept": "*/*", "Connection": "close"} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {action.get('path') or '/'} HTTP/1.1\r\n{lines}\r\n"


async def _connect(action: Mapping[str, Any], target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """From the node's own namespace, where a kubelet's probes come from."""
    host = ip_address(action["host"]) if action.get("host") else target.address
    return await target.ground.open_connection(None, host, port_number(action["port"], target.container))


def port_number(port: int | str, container: Mapping[str, Any]) -> int:
    """Resolve a port's name among the container's; ``ValueError`` if it has none of that name."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for item in container.get("ports") or ():
        if item.get("name") == port:
            return int(item["containerPort"])
    raise ValueError(f"container {container['name']} has no port named {port!r}")
