"""Objects, their resourceVersions, and the changes that watches replay.

Everything stored is shared and must not be changed by readers: a change is a new object. One counter per server
numbers all changes, so that resourceVersions of different resources can be compared, as with etcd.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from l3conf.emulator.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from l3conf.emulator.cluster_api import Object

    Sink: TypeAlias = Callable[["Event"], None]

FIRST_VERSION = 100
"""Above 0, which means "any version" to clients."""
HISTORY = 2048
"""Changes kept per resource: a watch that lags by more must list again (410)."""
MEMORY = 300.0
"""Seconds for which they are kept, as kube-apiserver has etcd keep them (``--etcd-compaction-interval``)."""


class Key(NamedTuple):
    """Namespace (empty for cluster scope) and name."""

    namespace: str
    name: str


class Event(NamedTuple):
    """One change of one object."""

    version: int
    type: str
    """``ADDED``, ``MODIFIED`` or ``DELETED``."""
    obj: Object
    """The new state; the last one for DELETED, at the deletion's resourceVersion."""
    before: Object | None
    """The state that it replaced; None for ADDED."""


class Store:
    """The objects of one API server, in memory."""

    def __init__(self, *, history: int = HISTORY, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; ``clock`` counts seconds."""
        self._clock = clock
        self.version = FIRST_VERSION
        self._objects: defaultdict[str, dict[Key, Object]] = defaultdict(dict)
        self._limit = history
        self._history: defaultdict[str, deque[tuple[float, Event]]] = defaultdict(deque)
        self._forgotten: defaultdict[str, int] = defaultdict(lambda: FIRST_VERSION)
        self._sinks: defaultdict[str, list[Sink]] = defaultdict(list)

    def get(self, resource: str, key: Key) -> Object | None:
        """Return the stored object, shared."""
        return self._objects[resource].get(key)

    def items(self, resource: str) -> list[tuple[Key, Object]]:
        """Return all objects of a resource, ordered by key."""
        return sorted(self._objects[resource].items())

    def count(self, resource: str) -> int:
        """Return how many objects a resource has."""
        return len(self._objects[resource])

    def put(self, resource: str, key: Key, obj: Object) -> Object:
        """Keep ``obj``, which is the store's from now on, under the next resourceVersion."""
        before = self._objects[resource].get(key)
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self._objects[resource][key] = obj
        self._publish(resource, Event(self.version, "MODIFIED" if before else "ADDED", obj, before))
        return obj

    def remove(self, resource: str, key: Key) -> Object:
        """Forget an object; return its last state, at the resourceVersion of the deletion."""
        before = self._objects[resource].pop(key)
        self.version += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
        self._publish(resource, Event(self.version, "DELETED", last, before))
        return last

    def since(self, resource: str, version: int) -> Iterator[Event]:
        """Yield the changes after ``version``; 410 if some of them are no longer known, 504 if it is yet to come."""
        if version > self.version:
            raise errors.future_version(version, self.version)
        if version < self._forgotten[resource]:
            raise errors.gone(f"too old resource version: {version} ({self._forgotten[resource]})")
        return (event for _, event in tuple(self._history[resource]) if event.version > version)

    def watch(self, resource: str, sink: Sink) -> Callable[[], None]:
        """Give every change to ``sink``, inside the call that makes it; return a function that ends this."""
        self._sinks[resource].append(sink)

        def end() -> None:
            if sink in self._sinks[resource]:
                self._sinks[resource].remove(sink)

        return end

    def _publish(self, resource: str, event: Event) -> None:
        history, now = self._history[resource], self._clock()
        history.append((now, event))
        while len(history) > self._limit or history[0][0] < now - MEMORY:
            self._forgotten[resource] = history.popleft()[1].version
        for sink in tuple(self._sinks[resource]):
            sink(event)
