"""How an engine ends the process that it keeps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process

PATIENCE = 3.0
"""Seconds that a process is given to end by itself."""


async def end_process(process: Process) -> None:
    """End a process and wait for it: its device goes with it."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
