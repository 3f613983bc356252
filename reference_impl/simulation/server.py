"""One API server: objects, versions, conflicts, and those who watch. Objects are shared and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.simulation.clock import Clock

Object: TypeAlias = dict[str, Any]
Watcher: TypeAlias = "Callable[[str, str, Object], None]"
"""Told type, name and object of every change of one kind."""
_HISTORY = 8


class RefusedError(Exception):
    """The server, or what lies before it, refused: 409, 410, 429, 5xx or silence (0)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"HTTP {code}")
        self.code = code


@dataclass(slots=True)
class Server:
    """Objects by kind and name, in one namespace."""

    clock: Clock
    version: int = 0
    writes: int = 0
    """Writes so far but for Leases: at rest there are none."""
    _objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    _watchers: dict[str, dict[Watcher, None]] = field(default_factory=dict)
    _past: dict[str, list[tuple[dict[str, Object], int]]] = field(default_factory=dict)
    changed: Callable[[str, str, Object | None], None] = lambda _kind, _name, _obj: None
    """Told of every change; None for a deletion."""

    def get(self, kind: str, name: str) -> Object | None:
        """Return one object."""
        return self._objects.get(kind, {}).get(name)

    def all(self, kind: str) -> Mapping[str, Object]:
        """Return all objects of a kind by name, as they are now."""
        return self._objects.get(kind, {})

    def list(self, kind: str, *, stale: int = 0) -> tuple[dict[str, Object], str]:
        """Return all objects of a kind and the version of the list, or of a list so many changes ago."""
        past = self._past.get(kind, [])
        if stale and past:
            objects, version = past[-min(stale, len(past))]
            return dict(objects), str(version)
        return dict(self._objects.get(kind, {})), str(self.version)

    def forget_past(self) -> None:
        """Let nobody see what was before now."""
        self._past.clear()

    def watch(self, kind: str, watcher: Watcher) -> None:
        """Tell a watcher of every change from now on."""
        self._watchers.setdefault(kind, {})[watcher] = None

    def unwatch(self, kind: str, watcher: Watcher) -> None:
        """Stop that."""
        self._watchers.get(kind, {}).pop(watcher, None)

    def create(self, kind: str, obj: Object) -> Object:
        """Create an object; 409 if the name is taken."""
        if obj["metadata"]["name"] in self._objects.get(kind, {}):
            raise RefusedError(409)
        made = f"{int(self.clock.now):08d}"
        return self._put("ADDED", kind, obj, {"creationTimestamp": made, "uid": f"uid-{self.version + 1}"})

    def replace(self, kind: str, obj: Object) -> Object:
        """Replace an object; 404 if there is none, 409 if its version is not the newest."""
        found = self.get(kind, obj["metadata"]["name"])
        if found is None:
            raise RefusedError(404)
        if obj["metadata"].get("resourceVersion") not in (None, found["metadata"]["resourceVersion"]):
            raise RefusedError(409)
        kept = {key: found["metadata"][key] for key in ("creationTimestamp", "uid")}
        return self._put("MODIFIED", kind, obj, kept)

    def delete(self, kind: str, name: str) -> None:
        """Delete an object; 404 if there is none."""
        found = self.get(kind, name)
        if found is None:
            raise RefusedError(404)
        self._remember(kind)
        del self._objects[kind][name]
        self.version += 1
        last = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
        self._tell("DELETED", kind, name, last)

    def _put(self, event: str, kind: str, obj: Object, metadata: Mapping[str, str]) -> Object:
        self._remember(kind)
        self.version += 1
        stored = {**obj, "metadata": {**obj["metadata"], **metadata, "resourceVersion": str(self.version)}}
        self._objects.setdefault(kind, {})[obj["metadata"]["name"]] = stored
        self._tell(event, kind, obj["metadata"]["name"], stored)
        return stored

    def _remember(self, kind: str) -> None:
        """Keep what was: caches of other servers may still show it."""
        if kind == "Lease":
            return
        self.writes += 1
        past = self._past.setdefault(kind, [])
        past.append((dict(self._objects.get(kind, {})), self.version))
        del past[:-_HISTORY]

    def _tell(self, event: str, kind: str, name: str, obj: Object) -> None:
        self.changed(kind, name, None if event == "DELETED" else obj)
        for watcher in tuple(self._watchers.get(kind, ())):
            watcher(event, name, obj)
