from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import processes, wireguard_engine

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """#!/bin/sh
trap 'echo ended >> {log}; exit 0' TERM
echo "started $1 $WG_PROCESS_FOREGROUND" >> {log}
{then}
"""
SLEEP = "while :; do sleep 0.02; done"


@pytest.fixture(autouse=True)
def _no_kernel_wireguard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wireguard_engine, "kernel_has_wireguard", lambda: False)
    monkeypatch.setattr(wireguard_engine, "RETRY", 0.01)
    monkeypatch.setattr(processes, "PATIENCE", 60.0)


def _program(directory: Path, then: str) -> tuple[str, Path]:
    program, log = directory / "program", directory / "log"
    program.write_text(PROGRAM.format(log=log, then=then))
    program.chmod(0o700)
    return str(program), log


async def _until(log: Path, text: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while _count(log, text) < times:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)


def _count(log: Path, text: str) -> int:
    return log.read_text().count(text) if log.exists() else 0


async def _run(program: str, directory: Path, log: Path, text: str, times: int = 1) -> None:
    task = asyncio.ensure_future(wireguard_engine.run(program, "wg", directory))
    await _until(log, text, times)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_process_ends_with_the_engine_and_leaves_no_socket(tmp_path: Path) -> None:
    program, log = _program(tmp_path, SLEEP)
    (tmp_path / "wg.sock").touch()
    asyncio.run(_run(program, tmp_path, log, "started wg 1"))
    assert log.read_text().endswith("ended\n")
    assert not (tmp_path / "wg.sock").exists()


def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    program, log = _program(tmp_path, "exit 3")
    asyncio.run(_run(program, tmp_path, log, "started", 3))


def test_a_missing_program_is_said_and_looked_for_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> None:
        task = asyncio.ensure_future(wireguard_engine.run(str(tmp_path / "program"), "wg", tmp_path))
        async with asyncio.timeout(20):
            while "not installed" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.01)
        _, log = _program(tmp_path, SLEEP)
        await _until(log, "started")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(later())


def test_sockets_that_are_opened_later_may_be_fragmented_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, log = _program(tmp_path, SLEEP)
    looked: list[int] = []
    monkeypatch.setattr(wireguard_engine, "fit_for_tunnels", looked.append)
    monkeypatch.setattr(wireguard_engine, "LOOK", 0.01)

    async def scenario() -> None:
        task = asyncio.ensure_future(wireguard_engine.run(program, "wg", tmp_path))
        await _until(log, "started wg 1")
        async with asyncio.timeout(20):
            while len(looked) < 3:  # noqa: ASYNC110 - the engine looks by itself
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert len(set(looked)) == 1
