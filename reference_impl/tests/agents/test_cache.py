"""A copy that is listed anew now and then, whatever its watch says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from reference_impl.agents.cache import Cache
from reference_impl.drivers.api import APIError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.protocols.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from reference_impl.drivers.api import Object


@dataclass(slots=True)
class Hasty(Mirror):
    """Lists are due at once."""

    relist: ClassVar[float] = 0.02


class Counted(FakeAPI):
    """Counts watches; one may go silent."""

    def __init__(self) -> None:
        super().__init__()
        self.watches = 0
        self.silent = False

    async def watch(self, resource: Resource, namespace: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        self.watches += 1
        async for event in super().watch(resource, namespace, version):
            if not self.silent:
                yield event


def endpoint(name: str) -> Object:
    return {"metadata": {"name": name, "namespace": "operator"}, "spec": {}}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def story(told: Callable[[Counted, Cache], object]) -> None:
    async def run() -> None:
        api = Counted()
        await api.create(Resource.ENDPOINT, endpoint("one"))
        cache = Cache(api, Resource.ENDPOINT, "operator", lambda: None, Hasty)
        task = asyncio.create_task(cache.run())
        await cache.synced.wait()
        await told(api, cache)  # type: ignore[misc]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_list_that_shows_nothing_new_replaces_the_watch_all_the_same() -> None:
    """It may have gone silent already, and what it will not tell of may be about to happen (L3-N4)."""

    async def told(api: Counted, cache: Cache) -> None:
        known = cache.get("one")
        await until(lambda: api.watches > 3)
        assert cache.get("one") is known

    story(told)


def test_what_a_silent_watch_missed_is_listed_and_watched_anew() -> None:
    async def told(api: Counted, cache: Cache) -> None:
        await until(lambda: api.watches >= 1)
        api.silent = True
        await api.create(Resource.ENDPOINT, endpoint("two"))
        await until(lambda: cache.get("two") is not None)
        await until(lambda: api.watches > 2)

    story(told)


def test_a_list_that_is_refused_ends_the_watch_and_says_so() -> None:
    async def told(api: Counted, cache: Cache) -> None:
        await until(lambda: api.watches >= 1)

        async def refused(*_: object, **__: object) -> tuple[list[Object], str]:
            raise APIError("no rights", 403)

        api.list = refused  # type: ignore[method-assign]
        await until(lambda: cache.refused == 403)
        assert "no rights" in cache.problem

    story(told)
