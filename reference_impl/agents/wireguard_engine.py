"""Keeps wireguard-go running on a gateway node whose kernel has no WireGuard: the program of its own DaemonSet.

There are two such devices, and a DaemonSet for each: an earlier release has only the first one, whose pod stays as it
is when members go from one version to the other (``reference_impl.planner.lanes`` says what the second one is for).

Decision: a process that carries packets must not be the child of an agent. An agent's container takes its children
along when it ends, and its pod is replaced with every upgrade; the tunnel would break each time. So wireguard-go has
a DaemonSet to itself, which has no rights, no settings, no key, and no reason ever to change. The gateway agent finds
the device by its name and gives it key and peers through the socket in the directory that both pods mount.

The price: when this pod is replaced, sessions are lost until the next handshake, and the device is empty until the
agent's next look. Kernels with WireGuard do not pay it; there this program has nothing to do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from typing import TYPE_CHECKING

from reference_impl.agents.processes import running_process
from reference_impl.drivers.foreign_sockets import fit_for_tunnels
from reference_impl.drivers.wireguard import SOCKET_DIRECTORY, kernel_has_wireguard
from reference_impl.names import WIREGUARD_DEVICE

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)
PROGRAM = "wireguard-go"
RETRY = 1.0
"""Seconds between the end of the process and its next start."""
LOOK = 1.0
"""Seconds between two looks at the process's sockets."""


async def run(program: str = PROGRAM, device: str = WIREGUARD_DEVICE, directory: Path = SOCKET_DIRECTORY) -> None:
    """Keep the process running until cancelled."""
    if await asyncio.to_thread(kernel_has_wireguard):
        _LOG.info("the kernel has WireGuard: nothing to do here")
        await asyncio.Event().wait()
    while True:
        if shutil.which(program) is None:
            _LOG.error("%s is not installed and the kernel has no WireGuard: there will be no cable", program)
        else:
            await _run_once(program, device, directory)
        await asyncio.sleep(RETRY)


async def _run_once(program: str, device: str, directory: Path) -> None:
    environ = {**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"}
    try:
        async with running_process(program, device, environ=environ) as process:
            _LOG.info("%s started for device %s", program, device)
            fitting = asyncio.ensure_future(_keep_fit(process.pid))
            try:
                _LOG.error("%s ended with %d", program, await process.wait())
            finally:
                fitting.cancel()
                await asyncio.gather(fitting, return_exceptions=True)
    finally:
        (directory / f"{device}.sock").unlink(missing_ok=True)


async def _keep_fit(pid: int) -> None:
    """Let tunnel packets be fragmented, as the kernel's WireGuard does; the process's sockets forbid it (L3-F8).

    They are opened when an agent gives the device a port, and anew with every other one.
    """
    while True:
        try:
            fit_for_tunnels(pid)
        except OSError as error:
            _LOG.warning("packets will be lost where small links are hidden: the sockets: %s", error.strerror)
            return
        await asyncio.sleep(LOOK)
