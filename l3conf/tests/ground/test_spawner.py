"""Containers: what they see, how they end, what they cannot touch."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.emulator.ground.container_root import cover_keeping
from l3conf.emulator.ground.spawn import SpawnedProcess, Spawner
from l3conf.emulator.ground.spawner import fork_spawner
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

OWN_NETWORK = "/proc/1/ns/net"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


@asynccontextmanager
async def running_spawner() -> AsyncIterator[Spawner]:
    spawner = Spawner(fork_spawner())
    try:
        yield spawner
    finally:
        spawner.close()


async def output_of(
    spawner: Spawner,
    script: str,
    mounts: Sequence[tuple[str, str, bool]] = (),
    capabilities: tuple[int, ...] | None = None,
) -> tuple[int, str]:
    """Run a shell script in a container; return exit code and output (at most a pipe's worth)."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    process = await start(spawner, script, mounts=mounts, output=writing, capabilities=capabilities)
    code = await asyncio.wait_for(process.wait(), 10)
    os.close(writing)
    with os.fdopen(reading) as reader:
        return code, reader.read()


async def start(
    spawner: Spawner,
    script: str,
    *,
    mounts: Sequence[tuple[str, str, bool]] = (),
    output: int | None = None,
    join: int = 0,
    capabilities: tuple[int, ...] | None = None,
) -> SpawnedProcess:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    sink = null if output is None else output
    try:
        return await spawner.start(
            ["sh", "-c", script],
            env=ENVIRONMENT,
            network=OWN_NETWORK,
            join=join,
            mounts=mounts,
            hostname="pod",
            capabilities=capabilities,
            descriptors=(null, sink, sink),
        )
    finally:
        os.close(null)


@sandboxed
def test_container_is_first_in_its_own_pid_namespace_under_its_own_name() -> None:
    async def scenario() -> None:
        async with running_spawner() as spawner:
            code, output = await output_of(spawner, "echo $$; hostname; exit 7")
            assert (code, output.split()) == (7, ["1", "pod"])

    asyncio.run(scenario())


@sandboxed
def test_mount_points_are_made_where_the_host_has_none_and_never_on_the_host() -> None:
    cover_keeping("/tmp")  # noqa: S108 - the sandbox's own
    source = Path("/tmp/source")  # noqa: S108 - likewise
    source.mkdir()
    (source / "token").write_text("secret")

    async def scenario() -> None:
        targets = ("/etc/l3conf-test/a", "/l3conf-test-root/b", "/var/run/secrets/c", "/usr/lib/l3conf-test/d")
        mounts = [(str(source), target, True) for target in targets]
        mounts.append((str(source / "token"), "/etc/l3conf-test-file", True))
        async with running_spawner() as spawner:
            script = (
                "cat " + " ".join(f"{target}/token" for target in targets) + " /etc/l3conf-test-file; ls /etc/passwd"
            )
            code, output = await output_of(spawner, script, mounts)
            assert (code, output) == (0, "secret" * 5 + "/etc/passwd\n")
            code, _output = await output_of(spawner, "echo x > /etc/l3conf-test/a/token", mounts)
            assert code != 0
        assert not any(Path(target).parent.exists() for target in targets if not target.startswith("/var/run/"))

    asyncio.run(scenario())


@sandboxed
def test_a_volume_at_run_does_not_remember_mount_points() -> None:
    cover_keeping("/tmp")  # noqa: S108 - the sandbox's own
    volume = Path("/tmp/volume")  # noqa: S108 - likewise
    volume.mkdir()
    mounts = [
        (str(volume), "/run", False),
        (str(volume), "/etc/l3conf-test-a", True),
        (str(volume), "/etc/l3conf-b", True),
    ]

    async def scenario() -> None:
        async with running_spawner() as spawner:
            for _ in range(2):
                assert await output_of(
                    spawner, "ls -d /etc/l3conf-test-a /etc/l3conf-b >/dev/null; ls -A /run", mounts
                ) == (0, "")

    asyncio.run(scenario())


@sandboxed
def test_signal_that_ends_a_container_is_its_exit_code() -> None:
    async def scenario() -> None:
        async with running_spawner() as spawner:
            process = await start(spawner, "exec sleep 60")
            process.signal(signal.SIGKILL)
            assert await asyncio.wait_for(process.wait(), 10) == 128 + signal.SIGKILL
            process.signal(signal.SIGKILL)  # gone: nothing happens

    asyncio.run(scenario())


@sandboxed
def test_ending_a_container_ends_all_that_it_started() -> None:
    async def scenario() -> None:
        async with running_spawner() as spawner:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            process = await start(spawner, "setsid sleep 60 & echo started; exec sleep 60", output=writing)
            os.close(writing)
            assert os.read(reading, 100) == b"started\n"
            process.signal(signal.SIGKILL)
            await asyncio.wait_for(process.wait(), 10)
            # Only when the last process with the pipe open is gone does it read as ended.
            assert await asyncio.wait_for(asyncio.to_thread(os.read, reading, 1), 10) == b""
            os.close(reading)

    asyncio.run(scenario())


@sandboxed
def test_exec_joins_the_containers_namespaces() -> None:
    async def scenario() -> None:
        async with running_spawner() as spawner:
            process = await start(spawner, "echo inside > /tmp/mark; exec sleep 60")
            reading, writing = os.pipe2(os.O_CLOEXEC)
            script = "while [ ! -s /tmp/mark ]; do sleep 0.01; done; cat /tmp/mark; hostname; ps -o pid= -p 1"
            joined = await start(spawner, script, join=process.pid, output=writing)
            assert await asyncio.wait_for(joined.wait(), 10) == 0
            os.close(writing)
            with os.fdopen(reading) as reader:
                assert reader.read().split() == ["inside", "pod", "1"]

    asyncio.run(scenario())


@sandboxed
def test_unknown_program_is_an_error_of_the_caller() -> None:
    async def scenario() -> None:
        async with running_spawner() as spawner:
            try:
                await spawner.start(["no-such-program"], env=ENVIRONMENT, network=OWN_NETWORK, descriptors=(0, 1, 2))
            except FileNotFoundError:
                return
            raise AssertionError("it started")

    asyncio.run(scenario())


@sandboxed
def test_many_containers_start_and_end_at_once() -> None:
    async def scenario() -> None:
        async with running_spawner() as spawner:
            processes = await asyncio.gather(*(start(spawner, f"exit {number}") for number in range(40)))
            codes = await asyncio.wait_for(asyncio.gather(*(process.wait() for process in processes)), 20)
            assert list(codes) == list(range(40))

    asyncio.run(scenario())


@sandboxed
def test_a_container_can_do_what_its_capabilities_allow_and_nothing_else() -> None:
    script = "ip link add one type bridge && echo made; grep CapEff /proc/self/status"

    async def scenario() -> None:
        async with running_spawner() as spawner:
            for capabilities, made, effective in ((None, True, None), ((12,), True, 1 << 12), ((), False, 0)):
                _, output = await output_of(spawner, script.replace("one", f"c{effective}"), capabilities=capabilities)
                assert ("made" in output) is made, output
                if effective is not None:
                    assert int(output.split()[-1], 16) == effective

    asyncio.run(scenario())
