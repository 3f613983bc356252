"""``kubectl logs`` and ``kubectl exec``, up to the API server's door."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.node.context import BackOffTimes
from l3conf.tests.controllers.cluster import Cluster, cluster, on_loop, pod
from l3conf.tests.node.shell_ground import ShellGround

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENT = "trap 'echo bye; exit 0' TERM; echo one; echo two; echo three; while :; do sleep 0.01; done"


@asynccontextmanager
async def shell(tmp_path: Path, script: str = PATIENT, **spec: Any) -> AsyncIterator[Cluster]:  # noqa: ANN401 - JSON
    async with cluster(tmp_path, back_off=BackOffTimes(first=60)) as east:
        east.add_node("n1", ground=ShellGround("n1"))
        east.api.create("pods", pod("p", "shell:v1", container={"args": ["-c", script]}, **spec))
        yield east
        for kubelet in east.pods.kubelets.values():
            await kubelet.stop()


class Output:
    """What an exec writes."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.changed = asyncio.Event()

    async def stdout(self, piece: bytes) -> None:
        self.out += piece
        self.changed.set()

    async def stderr(self, piece: bytes) -> None:
        self.err += piece

    async def until(self, text: bytes) -> None:
        while text not in self.out:
            self.changed.clear()
            await self.changed.wait()


async def run(east: Cluster, *argv: str, stdin: bytes | None = None, tty: bool = False) -> tuple[int, Output]:
    output = Output()
    reader = None
    if stdin is not None:
        reader = asyncio.StreamReader()
        reader.feed_data(stdin)
        reader.feed_eof()
    code = await east.pods.exec(
        "default", "p", None, argv, stdin=reader, stdout=output.stdout, stderr=output.stderr, tty=tty
    )
    return code, output


async def log(east: Cluster, **options: Any) -> bytes:  # noqa: ANN401 - options of logs()
    return b"".join([piece async for piece in east.pods.logs("default", "p", None, **options)])


async def said(east: Cluster, text: bytes) -> None:
    async for piece in east.pods.logs("default", "p", None, follow=True):
        if text in piece:
            return


@on_loop
async def test_a_log_is_read_whole_or_from_its_end(tmp_path: Path) -> None:
    async with shell(tmp_path) as east:
        await east.running(1)
        await said(east, b"three\n")
        assert await log(east) == b"one\ntwo\nthree\n"
        assert await log(east, tail_lines=2) == b"two\nthree\n"
        assert await log(east, tail_lines=0) == b""
        assert await log(east, tail_lines=9) == b"one\ntwo\nthree\n"


@on_loop
async def test_a_followed_log_ends_with_its_container(tmp_path: Path) -> None:
    async with shell(tmp_path, restartPolicy="Never") as east:
        await east.running(1)
        await said(east, b"three\n")
        following = asyncio.ensure_future(log(east, follow=True))
        worker = east.pods.kubelets["n1"].pod("default", "p")
        assert worker is not None
        process = worker.containers[0].process.current
        assert process is not None
        process.signal(15)
        assert (await following).endswith(b"three\nbye\n")


@on_loop
async def test_between_two_runs_the_previous_log_is_the_newest(tmp_path: Path) -> None:
    async with shell(tmp_path, "echo $$$$; exit 1") as east:
        await east.until("events", lambda events: any(item["reason"] == "BackOff" for item in events))
        newest, previous = await log(east), await log(east, previous=True)
        assert newest == previous
        assert newest.strip().isdigit()


@on_loop
async def test_refusals_say_what_is_wrong(tmp_path: Path) -> None:
    async with shell(tmp_path) as east:
        await east.running(1)
        for arguments, code, words in (
            (("default", "no", None), 404, "not found"),
            (("default", "p", "x"), 400, "container x is not valid for pod p"),
        ):
            with pytest.raises(StatusError, match=words) as refusal:
                east.pods.logs(*arguments)
            assert refusal.value.code == code
        with pytest.raises(StatusError, match="previous terminated container"):
            east.pods.logs("default", "p", None, previous=True)


@on_loop
async def test_exec_passes_streams_and_exit_code(tmp_path: Path) -> None:
    async with shell(tmp_path) as east:
        await east.running(1)
        code, output = await run(
            east, "sh", "-c", "cat; echo $KUBERNETES_SERVICE_HOST; echo bad >&2; exit 5", stdin=b"in\n"
        )
        assert (code, output.out, output.err) == (5, b"in\n10.101.0.1\n", b"bad\n")


@on_loop
async def test_exec_of_a_program_that_is_not_there_is_127(tmp_path: Path) -> None:
    async with shell(tmp_path) as east:
        await east.running(1)
        code, output = await run(east, "no-such-program")
        assert code == 127
        assert b"no-such-program" in output.err


@on_loop
async def test_exec_with_a_terminal_has_one(tmp_path: Path) -> None:
    async with shell(tmp_path) as east:
        await east.running(1)
        code, output = await run(east, "sh", "-c", "test -t 0 && test -t 1 && echo terminal", tty=True)
        assert (code, output.out) == (0, b"terminal\r\n")


@on_loop
async def test_exec_is_killed_when_its_caller_goes(tmp_path: Path) -> None:
    async with shell(tmp_path) as east:
        await east.running(1)
        output = Output()
        argv = ["sh", "-c", "echo $$; exec sleep 1000"]
        call = asyncio.ensure_future(
            east.pods.exec("default", "p", None, argv, stdin=None, stdout=output.stdout, stderr=output.stderr)
        )
        await output.until(b"\n")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        code, _ = await run(
            east,
            "sh",
            "-c",
            f"for i in 1 2 3 4 5 6 7 8 9; do kill -0 {output.out.decode().strip()} || exit 0; sleep 0.1; done; exit 1",
        )
        assert code == 0


@on_loop
async def test_exec_in_a_builtin_workload_runs_beside_it(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        east.add_node("n1", ground=ShellGround("n1"))
        east.api.create("pods", pod("p"))
        await east.running(1)
        assert await log(east) == b"serving at east/default/p\n"
        code, output = await run(east, "sh", "-c", "echo here")
        assert (code, output.out) == (0, b"here\n")
