"""The probe image as a built-in workload: a pod of ``l3conf/probe:v1`` is a place of the lab's prober."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node_runtime import PodNetwork
    from l3conf.probes.prober import Prober

_SIGNAL_EXIT = 128
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGKILL})
"""Signals whose default action ends a process; a probe server handles none."""
_PROBER_GONE = 255


class ProbeWorkload:
    """Runs probe pods on a prober (``node_runtime.BuiltinWorkload``)."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._ends: dict[str, asyncio.Task[int]] = {}
        """The newest process of each place that has had one; kept until it has ended."""

    async def start(
        self,
        place: str,
        pod: Object,
        network: PodNetwork,
        log: Callable[[str], None],
    ) -> ProbeProcess:
        """Start serving in the pod's namespace; ready when this returns. ``pod`` is not needed to serve probes.

        A pod that was deleted and made again has the same place: its predecessor's sockets are closed first.
        Raises ``LabError`` if something else in the namespace has the port (two host-network pods on one node).
        """
        del pod
        await self._await_predecessor(place)
        try:
            await self._prober.add_place(place, network.namespace_path, serve=True)
        except LabError as error:
            log(f"l3conf probe: {error}\n")
            raise
        addresses = ", ".join(str(address) for address in network.addresses)
        log(f"l3conf probe: serving UDP and TCP port {PORT} on {addresses} as {place}\n")
        process = ProbeProcess(place, self._prober, log)
        self._ends[place] = end = asyncio.create_task(process.wait(), name=f"end of {place}")
        end.add_done_callback(lambda done: self._forget(place, done))
        return process

    async def _await_predecessor(self, place: str) -> None:
        predecessor = self._ends.get(place)
        if predecessor is not None:
            await asyncio.wait([predecessor])

    def _forget(self, place: str, end: asyncio.Task[int]) -> None:
        if self._ends.get(place) is end:
            del self._ends[place]


class ProbeProcess:
    """What stands for the process of a probe pod (``node_runtime.RunningProcess``)."""

    pid = 0

    def __init__(self, place: str, prober: Prober, log: Callable[[str], None]) -> None:
        self._place = place
        self._prober = prober
        self._log = log
        self._signal: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(), name=f"probe {place}")

    async def wait(self) -> int:
        """Wait until the sockets are closed; return 128 + the signal that closed them."""
        return await asyncio.shield(self._life)

    def signal(self, number: int) -> None:
        """End the workload as the signal would end a process that handles none; others are ignored."""
        if number in _ENDING and not self._signal.done():
            self._signal.set_result(number)

    async def _live(self) -> int:
        gone = asyncio.create_task(self._prober.wait_gone())
        either: tuple[asyncio.Future[Any], ...] = (gone, self._signal)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not self._signal.done():
            self._log("l3conf probe: the lab's prober has ended\n")
            return _PROBER_GONE
        number = self._signal.result()
        try:
            await self._prober.remove_place(self._place)
        except LabError as error:
            self._log(f"l3conf probe: {error}\n")
        self._log(f"l3conf probe: ended by {signal.Signals(number).name}\n")
        return _SIGNAL_EXIT + number
