"""What is told of a kernel that refuses."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.agents.kernel_hand import KernelHand
from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.drivers.kernel import KernelError
from reference_impl.mutants import Mutant
from reference_impl.state import KernelState, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from reference_impl.operations import Operation


class Refusing(FakeKernel):
    """A kernel that has no device."""

    willing = False

    def apply(self, operations: Iterable[Operation]) -> tuple[KernelError, ...]:
        if self.willing:
            return ()
        return (*(KernelError("no device") for _ in operations), *(KernelError(f"{each}") for each in operations))


def plan(number: int) -> KernelState:
    routes = [
        Route(destination=ip_network(f"10.{each}.0.0/16"), metric=50, device="submariner") for each in range(number)
    ]
    return KernelState(routes=frozenset(routes))


def test_a_status_tells_each_reason_once_and_few_of_them_and_the_log_tells_all_of_them_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        with closing(KernelHand(kernel := Refusing(), Mutant())) as hand, caplog.at_level(logging.INFO):
            said = await hand.converge(plan(5), await hand.observe())
            assert said.startswith("no device; ")
            assert said.count("no device") == 1
            assert said.endswith("; and 3 more")
            logged = len(caplog.records)
            assert logged == 5 + 1 + 5
            assert await hand.converge(plan(5), await hand.observe()) == said
            assert len(caplog.records) == logged
            await hand.converge(plan(6), await hand.observe())
            assert len(caplog.records) == logged + 6 + 1 + 6
            kernel.willing = True
            assert await hand.converge(plan(6), await hand.observe()) == ""
            assert caplog.records[-1].getMessage() == "what was refused is done"

    asyncio.run(story())
