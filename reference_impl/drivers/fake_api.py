"""A Kubernetes API in memory: resourceVersions, conflicts, watches that fall behind; no schemas, no rights."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, TypeAlias

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Object, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_Key: TypeAlias = tuple[Resource, str, str]
_GONE = 410
_STATUS_APART = frozenset({Resource.CLUSTER, Resource.SERVICE_EXPORT, Resource.SERVICE_IMPORT})
"""Kinds whose status is a subresource."""


class FakeAPI:
    """Keeps objects; everything returned is the caller's own copy."""

    def __init__(self) -> None:
        self._objects: dict[_Key, Object] = {}
        self._history: list[tuple[int, str, _Key, Object]] = []
        self._version = 0
        self._changed = asyncio.Condition()
        self.reachable = True
        """While False every call fails as over a broken network."""

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Return one object."""
        self._reach()
        return copy.deepcopy(self._find((resource, namespace, name)))

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        """Return objects and the list's resourceVersion."""
        self._reach()
        wanted = [part.partition("=") for part in labels.split(",") if part]
        found = [
            copy.deepcopy(obj)
            for (kind, where, called), obj in sorted(self._objects.items(), key=lambda item: item[0][1:])
            if kind is resource
            and namespace in ("", where)
            and name in ("", called)
            and all(_has(obj["metadata"].get("labels") or {}, *part) for part in wanted)
        ]
        return found, str(self._version)

    async def watch(
        self, resource: Resource, namespace: str, version: str, *, name: str = "", seconds: int = 0
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield changes after ``version``; ``seconds`` are as long as it lives."""
        del seconds
        position = int(version)
        while True:
            self._reach()
            if self._history and position < self._history[0][0] - 1:
                raise APIError(f"{resource.kind} watch: resourceVersion {position} is too old", _GONE)
            for number, event, (kind, where, called), obj in list(self._history):
                if number > position:
                    position = number
                    if kind is resource and namespace in ("", where) and name in ("", called):
                        yield event, copy.deepcopy(obj)
            async with self._changed:
                if self._version <= position:
                    await self._changed.wait()

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object."""
        self._reach()
        key = _key(resource, obj)
        if key in self._objects:
            raise ConflictError(f"{resource.kind} {key[2]} already exists", 409)
        return await self._put("ADDED", key, obj)

    async def replace(self, resource: Resource, obj: Object) -> Object:
        """Replace an object."""
        self._reach()
        key = _key(resource, obj)
        version = obj["metadata"].get("resourceVersion")
        if version is not None and version != self._find(key)["metadata"]["resourceVersion"]:
            raise ConflictError(f"{resource.kind} {key[2]} has been modified", 409)
        return await self._put("MODIFIED", key, self._with_status_of(key, obj))

    async def merge(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch."""
        self._reach()
        key = (resource, namespace, name)
        return await self._put("MODIFIED", key, self._with_status_of(key, merged(self._find(key), patch)))

    async def merge_status(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch to status and nothing else."""
        self._reach()
        key = (resource, namespace, name)
        found = self._find(key)
        return await self._put("MODIFIED", key, {**found, "status": merged(found, patch).get("status")})

    async def apply(self, resource: Resource, obj: Object) -> Object:
        """Create or change an object; every field given wins."""
        self._reach()
        key = _key(resource, obj)
        found = self._objects.get(key)
        return await self._put("MODIFIED" if found else "ADDED", key, merged(found or {}, obj))

    async def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete an object."""
        self._reach()
        key = (resource, namespace, name)
        self._find(key)
        last = self._objects.pop(key)
        last["metadata"]["resourceVersion"] = str(self._version + 1)
        await self._record("DELETED", key, last)

    async def token(self, service_account: str, namespace: str, seconds: int) -> str:
        """Issue a token that says whom it is for."""
        self._reach()
        return f"{namespace}/{service_account}/{seconds}"

    async def logs(self, pod: str, namespace: str, container: str) -> str:
        """Return a log that says so."""
        self._reach()
        self._find((Resource.POD, namespace, pod))
        return f"{container}: nothing runs here\n"

    def forget_history(self) -> None:
        """Drop old events, so that a watch from an old version gets 410."""
        self._history = self._history[-1:]

    def _reach(self) -> None:
        if not self.reachable:
            raise APIError("cannot be reached")

    def _with_status_of(self, key: _Key, obj: Object) -> Object:
        """Return an object as it is stored when it is written whole: a subresource keeps what it was."""
        if key[0] not in _STATUS_APART:
            return obj
        kept = {"status": found["status"]} if "status" in (found := self._find(key)) else {}
        return {**{name: value for name, value in obj.items() if name != "status"}, **kept}

    def _find(self, key: _Key) -> Object:
        try:
            return self._objects[key]
        except KeyError:
            raise NotFoundError(f"{key[0].kind} {key[2]} not found", 404) from None

    async def _put(self, event: str, key: _Key, obj: Object) -> Object:
        stored = copy.deepcopy(obj)
        stored["metadata"]["resourceVersion"] = str(self._version + 1)
        born = f"2020-01-01T00:{self._version // 60:02d}:{self._version % 60:02d}Z"
        known = self._objects.get(key, {}).get("metadata", {})
        for name, value in (("creationTimestamp", born), ("uid", f"uid-{self._version + 1}")):
            stored["metadata"].setdefault(name, known.get(name, value))
        self._objects[key] = stored
        await self._record(event, key, stored)
        return copy.deepcopy(stored)

    async def _record(self, event: str, key: _Key, obj: Object) -> None:
        self._version += 1
        self._history.append((self._version, event, key, copy.deepcopy(obj)))
        async with self._changed:
            self._changed.notify_all()


def _key(resource: Resource, obj: Object) -> _Key:
    return resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def merged(target: Object, patch: Object) -> Object:
    """Return what a JSON merge patch makes of an object (RFC 7396 section 2). Pure."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = merged(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result


def _has(labels: Mapping[str, str], key: str, equals: str, value: str) -> bool:
    """Say whether labels fit one requirement: ``key`` alone, or ``key=value``."""
    return labels.get(key) == value if equals else key in labels
