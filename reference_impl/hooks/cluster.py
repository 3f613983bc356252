"""One cluster as hooks see it: apply, delete, wait, all bounded and all repeatable."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.api import APIError, NotFoundError, Resource
from reference_impl.drivers.kube_api import KubeAPI
from reference_impl.hooks.manifests import with_image, with_variables
from reference_impl.hooks.request import HookError
from reference_impl.mutants import load_mutant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from reference_impl.drivers.api import API, Object

POLL = 0.05
"""Seconds between two looks at something that is awaited."""
_FIRST = frozenset({Resource.NAMESPACE, Resource.CRD})


class HookCluster:
    """A cluster with its API."""

    def __init__(self, name: str, api: API) -> None:
        self.name = name
        self.api = api

    async def apply(self, objects: Iterable[Object], *, switches: bool = True) -> None:
        """Apply objects, those that others need first. ``switches``: whether agents know this version's mutants."""
        given = with_image(objects, os.environ)
        listed = load_mutant().manifests(with_variables(given, os.environ)) if switches else given
        early = [obj for obj in listed if Resource.of(obj) in _FIRST]
        late = [obj for obj in listed if Resource.of(obj) not in _FIRST]
        for group in (early, late):
            await asyncio.gather(*(self.api.apply(Resource.of(obj), obj) for obj in group))

    async def delete(self, objects: Iterable[Object]) -> None:
        """Delete objects; what is gone already is well."""
        listed = load_mutant().deletions(list(objects))
        await asyncio.gather(*(self.delete_one(Resource.of(obj), obj["metadata"]) for obj in listed))

    async def delete_one(self, resource: Resource, metadata: Object) -> None:
        """Delete one object."""
        with suppress(NotFoundError):
            await self.api.delete(resource, metadata["name"], metadata.get("namespace", ""))

    async def delete_all(self, resource: Resource, namespace: str, *, labels: str = "") -> None:
        """Delete every object of a kind in a namespace; none if the kind is unknown."""
        await self.delete(await self.find(resource, namespace, labels=labels))

    async def find(self, resource: Resource, namespace: str = "", *, labels: str = "") -> list[Object]:
        """Return objects; none if the kind is unknown."""
        with suppress(NotFoundError):
            return (await self.api.list(resource, namespace, labels=labels))[0]
        return []

    async def exists(self, resource: Resource, name: str, namespace: str = "") -> bool:
        """Say whether an object is there."""
        with suppress(NotFoundError):
            await self.api.get(resource, name, namespace)
            return True
        return False


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Wait for a condition, at most so long; say whether it came true."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - the API is somewhere else, there is no event to wait for
                await asyncio.sleep(POLL)
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def connect(name: str, kubeconfig: Path) -> AsyncIterator[HookCluster]:
    """Open a cluster by its kubeconfig; errors inside name the cluster."""
    try:
        async with aclosing_api(KubeAPI.from_file(kubeconfig)) as api:
            yield HookCluster(name, api)
    except APIError as error:
        raise HookError(f"{name}: {error}") from None


@asynccontextmanager
async def aclosing_api(api: API) -> AsyncIterator[API]:
    """Close an API at the end."""
    try:
        yield api
    finally:
        await api.close()
