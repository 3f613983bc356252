"""Objects are written again for a new stored version before anybody says so, however often that is interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers.api import APIError, ConflictError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.hooks.manifests import POLICIES, load
from reference_impl.hooks.stored_versions import migrate

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object

POLICY = Resource.CONNECTION_POLICY


class Recording(FakeAPI):
    """Notes what is written again, and fails at the write of a name once."""

    def __init__(self, failing: str = "", error: APIError | None = None) -> None:
        super().__init__()
        self.written: list[str] = []
        self.failing, self.error = failing, error

    async def replace(self, resource: Resource, obj: Object) -> Object:
        name = obj["metadata"]["name"]
        if name == self.failing and self.error is not None:
            error, self.error = self.error, None
            raise error
        self.written.append(name)
        return await super().replace(resource, obj)


async def stage(api: FakeAPI) -> list[Object]:
    """Three policies, and the definition as a release that stores another version has left it."""
    kinds = load(POLICIES)
    for kind in kinds:
        await api.apply(Resource.of(kind), kind)
    stored = {"status": {"storedVersions": ["v1alpha1", "v1beta1"]}}
    await api.merge_status(Resource.CRD, kinds[0]["metadata"]["name"], "", stored)
    for name in ("a", "b", "c"):
        await api.create(POLICY, {"metadata": {"name": name, "namespace": "x"}, "spec": {"action": "Connect"}})
    return kinds


async def stored(api: FakeAPI) -> list[str]:
    definition = await api.get(Resource.CRD, "clusterconnectionpolicies.l3conf.io")
    versions: list[str] = definition["status"]["storedVersions"]
    return versions


def test_every_object_is_written_again_and_then_the_old_version_goes() -> None:
    async def story() -> None:
        api = Recording()
        kinds = await stage(api)
        await migrate(api, kinds)
        assert (api.written, await stored(api)) == (["a", "b", "c"], ["v1beta1"])
        await migrate(api, kinds)
        assert api.written == ["a", "b", "c"], "nothing is left to do"

    asyncio.run(story())


def test_who_is_interrupted_begins_again_because_the_old_version_is_still_named() -> None:
    async def story() -> None:
        api = Recording("b", APIError("broken off", 500))
        kinds = await stage(api)
        with pytest.raises(APIError, match="broken off"):
            await migrate(api, kinds)
        assert await stored(api) == ["v1alpha1", "v1beta1"]
        await migrate(api, kinds)
        assert (set(api.written), await stored(api)) == ({"a", "b", "c"}, ["v1beta1"])

    asyncio.run(story())


def test_an_object_that_somebody_else_wrote_meanwhile_is_stored_anew_by_that() -> None:
    async def story() -> None:
        api = Recording("b", ConflictError("changed", 409))
        kinds = await stage(api)
        await migrate(api, kinds)
        assert (api.written, await stored(api)) == (["a", "c"], ["v1beta1"])

    asyncio.run(story())
