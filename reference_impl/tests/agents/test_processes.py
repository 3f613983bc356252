"""What carries packets goes on for a while after it was told to end."""

from __future__ import annotations

import asyncio

import pytest

from reference_impl.agents.processes import go_on_for


def test_it_goes_on_for_a_while_and_ends_then() -> None:
    async def story() -> None:
        carried = 0

        async def carry() -> None:
            nonlocal carried
            while True:
                await asyncio.sleep(0.01)
                carried += 1

        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(go_on_for(0.2, carry()))
        await asyncio.sleep(0.05)
        task.cancel()
        told, before = loop.time(), carried
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop.time() - told >= 0.2
        assert carried > before
        after = carried
        await asyncio.sleep(0.05)
        assert carried == after

    asyncio.run(story())


def test_what_ends_by_itself_is_not_waited_for() -> None:
    async def story() -> None:
        async def fail() -> None:
            await asyncio.sleep(0)
            raise RuntimeError("no device")

        with pytest.raises(RuntimeError, match="no device"):
            await asyncio.wait_for(go_on_for(60, fail()), 5)

    asyncio.run(story())
