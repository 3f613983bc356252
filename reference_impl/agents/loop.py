"""The loop of every agent: something changed, or some time passed, so look at everything again."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from reference_impl.agents.last import Last
from reference_impl.drivers.api import APIError
from reference_impl.drivers.kernel import KernelError
from reference_impl.planner.diff import diff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reference_impl.drivers.kernel import Kernel
    from reference_impl.flows import Bindings, Suspects
    from reference_impl.mutants import Mutant
    from reference_impl.operations import Operation
    from reference_impl.state import Count, KernelState, Observed

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


class KernelHand:
    """Brings a node's kernel to a plan, off the event loop: netlink and nft block."""

    def __init__(self, kernel: Kernel, mutant: Mutant) -> None:
        self._kernel = kernel
        self._mutant = mutant
        self._steps: Last[tuple[KernelState, Observed], tuple[Operation, ...]] = Last()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kernel")

    async def observe(self) -> Observed:
        """Read the kernel."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._kernel.observe)

    async def converge(self, plan: KernelState, observed: Observed) -> str:
        """Carry out what separates plan and kernel; return failures as one text, "" if there are none."""
        plan = self._mutant.kernel(plan)
        steps = self._steps.answer((plan, observed), lambda: diff(plan, observed))
        operations = self._mutant.operations(steps)
        if not operations:
            return ""
        for operation in operations:
            _LOG.info("%s", operation)
        failures = await asyncio.get_running_loop().run_in_executor(self._thread, self._kernel.apply, operations)
        for failure in failures:
            _LOG.error("%s", failure)
        return "; ".join(str(failure) for failure in failures)

    async def forget(self, bindings: Bindings, suspects: Suspects | None) -> None:
        """End flows, of suspects or of all, that go under global addresses which they should no longer have."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._kernel.forget, bindings, suspects)

    async def counts(self) -> Mapping[str, Count]:
        """Read what has passed through cables; nothing if the kernel does not tell."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._kernel.counts)
        except KernelError as error:
            _LOG.warning("%s", error)
            return {}

    def close(self) -> None:
        """Let go of the kernel; what was programmed stays."""
        self._thread.submit(self._kernel.close)
        self._thread.shutdown()
