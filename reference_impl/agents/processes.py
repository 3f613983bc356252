"""How an engine starts and ends the process that it keeps, and when."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Coroutine, Mapping

PATIENCE = 3.0
"""Seconds that a process is given to end by itself."""


@asynccontextmanager
async def running_process(*command: str, environ: Mapping[str, str]) -> AsyncIterator[Process]:
    """Start a process, and end it when the context is left. ``OSError`` if it cannot be started.

    It runs before asyncio has said so. If the engine is told to end in between, asyncio would kill it outright, and
    what it made until then, a device or rules, might stay: it is ended as at any other time.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, env=environ))
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError):
            await end_process(await starting)
        raise
    try:
        yield process
    finally:
        await end_process(process)


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


async def go_on_for(seconds: float, carrying: Coroutine[None, None, None]) -> None:
    """Run what carries packets; when it is told to end, go on for a while.

    A gateway node that is relieved loses this pod at once, and peers need a moment to send elsewhere.
    """
    task = asyncio.ensure_future(carrying)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
