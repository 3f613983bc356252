"""A copy that is listed anew now and then, whatever its watch says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from reference_impl.agents.cache import Cache
from reference_impl.drivers.api import APIError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.protocols.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

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

    async def watch(
        self, resource: Resource, namespace: str, version: str, *, name: str = "", seconds: int = 0
    ) -> AsyncIterator[tuple[str, Object]]:
        self.watches += 1
        async for event in super().watch(resource, namespace, version, name=name, seconds=seconds):
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


class Ending(Counted):
    """A server that ends watches as it is asked to, or at once for a reason of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.restarts = True
        self.asked: list[int] = []

    async def watch(
        self, resource: Resource, namespace: str, version: str, *, name: str = "", seconds: int = 0
    ) -> AsyncIterator[tuple[str, Object]]:
        self.asked.append(seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self.restarts else seconds):
                async for event in super().watch(resource, namespace, version, name=name, seconds=seconds):
                    yield event


@dataclass(slots=True)
class Brief(Mirror):
    """Lists are due after a moment."""

    relist: ClassVar[float] = 3.0


def test_a_watch_that_ends_as_asked_is_followed_by_a_list_at_once_and_one_that_breaks_after_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        api = Ending()
        cache = Cache(api, Resource.ENDPOINT, "operator", lambda: None, Brief)
        task = asyncio.create_task(cache.run())
        await until(lambda: len(api.asked) == 2)
        assert "the server ended it, trying again in 0.2 s" in caplog.text
        api.restarts = False
        await until(lambda: len(api.asked) == 4)
        assert caplog.text.count("trying again") <= 3
        assert set(api.asked) == {1}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_a_cache_of_one_name_sees_no_other() -> None:
    async def run() -> None:
        api = FakeAPI()
        await api.create(Resource.ENDPOINT, endpoint("one"))
        await api.create(Resource.ENDPOINT, endpoint("two"))
        cache = Cache(api, Resource.ENDPOINT, "operator", lambda: None, name="two")
        task = asyncio.create_task(cache.run())
        await cache.synced.wait()
        await api.delete(Resource.ENDPOINT, "one", "operator")
        await api.create(Resource.ENDPOINT, endpoint("three"))
        await api.delete(Resource.ENDPOINT, "two", "operator")
        await until(lambda: not cache.items)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


@dataclass(slots=True)
class Trusting(Mirror):
    """Nothing is ever listed anew."""

    relist: ClassVar[float] = inf


def test_a_watch_that_no_list_follows_is_asked_for_for_an_hour() -> None:
    async def run() -> None:
        api = Ending()
        api.restarts = False
        cache = Cache(api, Resource.ENDPOINT, "operator", lambda: None, Trusting)
        task = asyncio.create_task(cache.run())
        await until(lambda: bool(api.asked))
        assert api.asked == [3600]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
