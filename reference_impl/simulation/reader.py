"""One agent's view of one kind at one server: ``agents.cache.Cache`` in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reference_impl.protocols.mirror import Mirror
from reference_impl.simulation.server import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.simulation.server import Object, Server
    from reference_impl.simulation.weather import Weather


@dataclass(slots=True, eq=False)
class Reader:
    """Lists, watches and lists again, until it is closed."""

    server: Server
    kind: str
    weather: Weather
    reaches: Callable[[], bool]
    """Whether the server can be reached now."""
    changed: Callable[[], None]
    mirror: Mirror = field(default_factory=Mirror)
    revision: int = 0
    """Grows with every change."""
    _life: int = 0
    """Which watch is open: what belongs to an earlier one is not heard."""
    _watcher: Callable[[str, str, Object], None] | None = None
    _items: tuple[int, tuple[Object, ...]] = (-1, ())

    @property
    def items(self) -> tuple[Object, ...]:
        """Return the objects, ordered by name."""
        if self._items[0] != self.revision:
            self._items = self.revision, tuple(item for _, item in sorted(self.mirror.items.items()))
        return self._items[1]

    def start(self) -> None:
        """List, and watch from there."""
        self._forget()
        life, chances = self._life, self.weather.now
        stale = 0
        try:
            self.weather.request(self.reaches())
            # The first list is a consistent read; later ones may meet a server that lags, and can be told by versions.
            lags = self.mirror.synced and self.weather.happens(chances.stale)
            stale = self.weather.random.randint(1, 4) if lags else 0
            self._note(self.mirror.list_arrived(*self.server.list(self.kind, stale=stale)))
        except RefusedError:
            self._again(self.mirror.failed())
            return
        if self.mirror.is_behind:
            self._again(self.mirror.failed())
            return
        if stale:
            # What happened since the moment that the list shows comes as events, as from any watch.
            for name, obj in self.server.all(self.kind).items():
                self._hear(life, "MODIFIED", name, obj)
        if not self.weather.happens(chances.silent):
            self._watcher = lambda event, name, obj: self._hear(life, event, name, obj)
            self.server.watch(self.kind, self._watcher)
        self._again(self.mirror.relist)

    def close(self) -> None:
        """Stop: the agent has died."""
        self._forget()

    def _again(self, seconds: float) -> None:
        life = self._life
        if seconds < self.weather.until + 1000:
            self.weather.clock.after(seconds, lambda: self.start() if life == self._life else None)

    def _forget(self) -> None:
        self._life += 1
        if self._watcher is not None:
            self.server.unwatch(self.kind, self._watcher)
            self._watcher = None

    def _hear(self, life: int, event: str, name: str, obj: Object) -> None:
        if self.weather.happens(self.weather.now.broken):
            self.weather.clock.after(0.01, lambda: self._break(life))
            return
        self.weather.deliver(lambda: self._take(life, event, name, obj))

    def _break(self, life: int) -> None:
        if life == self._life:
            self._forget()
            self._again(self.mirror.failed())

    def _take(self, life: int, event: str, name: str, obj: Object) -> None:
        if life == self._life and self.reaches():
            self._note(self.mirror.event_arrived(event, name, obj))

    def _note(self, changed: bool) -> None:  # noqa: FBT001 - the answer of the mirror
        if changed:
            self.revision += 1
            self.changed()
