"""Writes that do not depend on each other."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from reference_impl.agents.writing import side_by_side
from reference_impl.drivers.api import APIError

WRITES = 50


def test_many_are_under_way_at_once_and_each_is_carried_out_once() -> None:
    done: list[int] = []
    under_way: set[int] = set()
    most = 0

    async def write(number: int) -> None:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        await asyncio.sleep(0.001)
        under_way.remove(number)
        done.append(number)

    asyncio.run(side_by_side(partial(write, number) for number in range(WRITES)))
    assert sorted(done) == list(range(WRITES))
    assert 1 < most < WRITES


def test_a_server_that_fails_is_told_of_and_not_asked_for_all_the_others() -> None:
    asked = 0

    async def write() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise APIError("unavailable", 503)

    with pytest.raises(APIError, match="unavailable"):
        asyncio.run(side_by_side(write for _ in range(WRITES)))
    assert 0 < asked < WRITES
