"""Agents that die or hang: the processes of every pod on a node that is neither the suite's nor the cluster's own.

Only agents are killed, and an agent is what can speak to the API: a container without a credential decides nothing. It
carries packets, as a kernel would, and the death of a data plane is another question than that of its masters.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.model.agents import SPARED_NAMESPACES, can_speak
from l3conf.model.faults import AgentsCrashLooping, AgentsFrozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from l3conf.emulator.cluster import EmulatedCluster
    from l3conf.emulator.node_runtime import RunningProcess
    from l3conf.model.faults import AgentFault

_LOOK = 0.2
"""Seconds that an agent in a crash loop lives, at most."""


class AgentFaults:
    """Faults of the pods of one lab."""

    def __init__(self, clusters: Mapping[str, EmulatedCluster]) -> None:
        self._clusters = clusters

    async def begin(self, fault: AgentFault) -> Callable[[], Awaitable[None]]:
        """Begin a fault; return what ends it. ``LabError`` if no agent runs there."""
        killed = not isinstance(fault, AgentsFrozen)
        agents = list(self._agents(fault.cluster, fault.node, speaking=killed))
        if not agents:
            raise LabError("no agent runs there", where=f"{fault.cluster}@{fault.node}")
        if killed:
            for agent in agents:
                agent.signal(signal.SIGKILL)
            return self._go_on_killing(fault) if isinstance(fault, AgentsCrashLooping) else _nothing
        for agent in agents:
            _signal_tree(agent.pid, signal.SIGSTOP)

        async def thaw() -> None:
            for agent in agents:
                _signal_tree(agent.pid, signal.SIGCONT)

        return thaw

    def _go_on_killing(self, fault: AgentsCrashLooping) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            while True:
                await asyncio.sleep(_LOOK)
                for agent in self._agents(fault.cluster, fault.node, speaking=True):
                    agent.signal(signal.SIGKILL)

        killing = asyncio.ensure_future(kill())

        async def stop() -> None:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)

        return stop

    def _agents(self, cluster: str, node: str, *, speaking: bool) -> Iterator[RunningProcess]:
        """Yield the first process of every running container; ``speaking``: of those that can speak to the API."""
        for kubelet in self._clusters[cluster].kubelets if cluster in self._clusters else ():
            for worker in kubelet.workers.values() if kubelet.node == node else ():
                if worker.pod["metadata"]["namespace"] not in SPARED_NAMESPACES:
                    chosen = (one for one in worker.containers if not speaking or can_speak(one.container))
                    running = (runner.process.current for runner in chosen)
                    yield from (process for process in running if process is not None and process.pid)


def _signal_tree(pid: int, number: int) -> None:
    """Signal a process and all that it started, parents first, so that none is started meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                _signal_tree(int(child), number)


async def _nothing() -> None:
    """Undo what is over already: kubelets restart what was killed."""
