"""The loop of every agent: something changed, or some time passed, so look at everything again."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError
from reference_impl.drivers.kernel import KernelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LOG = logging.getLogger(__name__)
SETTLE = 0.005
"""Seconds between a change and the look at it: changes come in bursts."""
REST = 1.0
"""How many times the CPU time of a step passes until the next one: while members come by the dozen, an agent takes
half a CPU at most, and looks at more of them at once."""
RETRY = 1.0
"""Seconds until the next try after a failed one."""


class Loop:
    """Calls ``step`` after every ``wake`` and at least every ``period`` seconds, one call at a time."""

    def __init__(self, step: Callable[[], Awaitable[None]], period: float) -> None:
        self._step = step
        self._period = period
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self) -> None:
        """Ask for a look soon."""
        self._wake.set()

    def wake_in(self, seconds: float) -> None:
        """Ask for a look a little later."""
        asyncio.get_running_loop().call_later(seconds, self.wake)

    async def run(self) -> None:
        """Loop until cancelled. A refused step is tried again; a bug ends the agent, visibly."""
        time = asyncio.get_running_loop().time
        pause, rested = self._period, 0.0
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
                await asyncio.sleep(max(SETTLE, rested - time()))
            except TimeoutError:
                pass
            self._wake.clear()
            pause, used = self._period, _cpu_time()
            try:
                await self._step()
            except (APIError, KernelError) as error:
                _LOG.warning("%s", error)
                pause = max(min(RETRY, self._period), getattr(error, "retry_after", 0.0))
            rested = time() + min(REST * (_cpu_time() - used), self._period)


def _cpu_time() -> float:
    """Return the seconds of CPU that this process and the programs that it ran have used."""
    return sum(os.times()[:4])
