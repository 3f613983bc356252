"""A node's kernel, brought to a plan off the event loop."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from reference_impl.agents.last import Last
from reference_impl.drivers.kernel import KernelError
from reference_impl.planner.diff import diff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.drivers.kernel import Kernel
    from reference_impl.flows import Bindings, Suspects
    from reference_impl.mutants import Mutant
    from reference_impl.operations import Operation
    from reference_impl.state import Count, KernelState, Observed

_LOG = logging.getLogger(__name__)
_TOLD = 3
"""Failures that a status tells: the others are mostly consequences of the first. Logs have all."""


class KernelHand:
    """Brings a node's kernel to a plan, off the event loop: netlink and nft block."""

    def __init__(self, kernel: Kernel, mutant: Mutant) -> None:
        self._kernel = kernel
        self._mutant = mutant
        self._steps: Last[tuple[KernelState, Observed], tuple[Operation, ...]] = Last()
        self._refused: tuple[Operation, ...] = ()
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
        # What a kernel refuses is tried again with every look, and told once.
        repeated, self._refused = operations == self._refused, ()
        if not repeated:
            for operation in operations:
                _LOG.info("%s", operation)
        failures = await asyncio.get_running_loop().run_in_executor(self._thread, self._kernel.apply, operations)
        told = tuple(dict.fromkeys(map(str, failures)))
        if failures:
            self._refused = operations
        elif repeated:
            _LOG.info("what was refused is done")
        for failure in () if repeated else told:
            _LOG.error("%s", failure)
        return "; ".join((*told[:_TOLD], *([f"and {len(told) - _TOLD} more"] if len(told) > _TOLD else ())))

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
