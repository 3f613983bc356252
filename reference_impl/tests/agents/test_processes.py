"""What carries packets ends in order whenever it is told to, and goes on for a while before."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import processes
from reference_impl.agents.processes import go_on_for, running_process

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

SLEEP = "while :; do sleep 0.02; done"


def test_it_goes_on_for_a_while_and_ends_then() -> None:
    async def story() -> None:
        carried = 0

        async def carry() -> None:
            nonlocal carried
            while True:
                await asyncio.sleep(0.01)
                carried += 1

        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(go_on_for(0.2, carry()))
        await asyncio.sleep(0.05)
        task.cancel()
        told, before = loop.time(), carried
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop.time() - told >= 0.2
        assert carried > before
        after = carried
        await asyncio.sleep(0.05)
        assert carried == after

    asyncio.run(story())


def test_what_ends_by_itself_is_not_waited_for() -> None:
    async def story() -> None:
        async def fail() -> None:
            await asyncio.sleep(0)
            raise RuntimeError("no device")

        with pytest.raises(RuntimeError, match="no device"):
            await asyncio.wait_for(go_on_for(3600, fail()), 60)

    asyncio.run(story())


def test_a_process_that_runs_before_its_engine_knows_ends_in_order_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, log = tmp_path / "program", tmp_path / "log"
    program.write_text(f"#!/bin/sh\ntrap 'echo ended >> {log}; exit 0' TERM\necho started > {log}\n{SLEEP}\n")
    program.chmod(0o700)
    monkeypatch.setattr(processes, "PATIENCE", 60.0)
    start = asyncio.create_subprocess_exec

    async def story() -> None:
        known = asyncio.Event()

        async def start_late(*command: str, **settings: object) -> Process:
            process = await start(*command, **settings)  # type: ignore[arg-type]
            await known.wait()
            return process

        async def engine() -> None:
            async with running_process(str(program), environ=os.environ):
                pytest.fail("it was told to end before")

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start_late)
        task = asyncio.ensure_future(engine())
        async with asyncio.timeout(20):
            while not log.exists() or log.read_text() != "started\n":  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        known.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert log.read_text() == "started\nended\n"


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_process(str(tmp_path / "absent"), environ=os.environ):
            pytest.fail("there is no such program")

    with pytest.raises(FileNotFoundError):
        asyncio.run(story())
