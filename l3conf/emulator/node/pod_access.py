"""``pods/log`` and ``pods/exec`` of one cluster, over all its kubelets."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.node.exec_streams import ExecStreams
from l3conf.emulator.node.logs import read_log

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from l3conf.emulator.node.container_runner import ContainerRunner
    from l3conf.emulator.node.kubelet import Kubelet
    from l3conf.emulator.node.pod_worker import PodWorker
    from l3conf.emulator.pod_access import Write

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that is not there or not a program."""


class ClusterPods:
    """Implements ``emulator.pod_access.PodAccess``. Kubelets may join and leave at any time."""

    def __init__(self) -> None:
        self.kubelets: dict[str, Kubelet] = {}
        """By node name."""

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Return a container's log in pieces; refusals are raised at once, before the first piece."""
        worker = self._worker(namespace, pod)
        runner = _runner(worker, container)
        path, ended = _log(runner, pod, previous=previous)
        return read_log(path, tail_lines=tail_lines, follow=follow, ended=ended)

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
        """Run a command in a container until it ends; it is killed if the caller is cancelled."""
        runner = _runner(self._worker(namespace, pod), container)
        if runner.process.current is None:
            raise _bad_request(f'unable to upgrade connection: container not found ("{runner.state.name}")')
        async with ExecStreams(stdin=stdin, stdout=stdout, stderr=stderr, tty=tty) as streams:
            theirs = streams.descriptors
            try:
                process = await runner.process.execute(
                    argv, stdin=theirs[0], stdout=theirs[1], stderr=theirs[2], tty=tty
                )
            except (FileNotFoundError, PermissionError) as error:
                await stderr(f"exec: {argv[0]}: {error.strerror}\n".encode())
                return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            streams.started()
            try:
                code = await process.wait()
            except BaseException:
                process.signal(signal.SIGKILL)
                raise
            await streams.drained()
            return code

    def _worker(self, namespace: str, pod: str) -> PodWorker:
        for kubelet in self.kubelets.values():
            worker = kubelet.pod(namespace, pod)
            if worker is not None:
                return worker
        raise StatusError(404, "NotFound", f'pods "{pod}" not found on any node')


def _runner(worker: PodWorker, container: str | None) -> ContainerRunner:
    name = worker.pod["metadata"]["name"]
    runners = [*worker.init, *worker.containers]
    if not container:
        if len(worker.containers) == 1:
            return worker.containers[0]
        choices = " ".join(item.state.name for item in worker.containers)
        raise _bad_request(f"a container name must be specified for pod {name}, choose one of: [{choices}]")
    for runner in runners:
        if runner.state.name == container:
            return runner
    raise _bad_request(f"container {container} is not valid for pod {name}")


def _log(runner: ContainerRunner, pod: str, *, previous: bool) -> tuple[Path, Callable[[], bool]]:
    """Return the file of the newest run, or of the one before, and how to know that it grows no more."""
    name = runner.state.name
    if previous:
        path = runner.process.log_of_previous_run()
        if path is None:
            raise _bad_request(f'previous terminated container "{name}" in pod "{pod}" not found')
        return path, lambda: True
    path = runner.process.log
    if path is None:
        reason = (runner.state.state.get("waiting") or {}).get("reason", "ContainerCreating")
        raise _bad_request(f'container "{name}" in pod "{pod}" is waiting to start: {reason}')
    return path, lambda: runner.process.log != path or runner.process.current is None


def _bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)
