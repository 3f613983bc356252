"""A work queue of keys: one entry per key, a short turn on the event loop, back-off for keys that fail.

Reconcilers are plain functions: the embedded API answers synchronously, so there is nothing to await and no
task to keep per controller. A key that fails is tried again later and never holds up another.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from l3conf.emulator.apiserver.errors import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")

logger = logging.getLogger(__name__)

CONFLICT = 409
TURN_SECONDS = 0.005
"""How long one queue may hold the event loop before others get their turn."""
FIRST_DELAY = 0.05
LONGEST_DELAY = 30.0


class WorkQueue(Generic[K]):
    """Calls ``reconcile(key)`` once for any number of ``add(key)`` calls made in the same loop turn.

    An exception is logged once per key and text, and the key is tried again after a delay that doubles from
    ``FIRST_DELAY`` to ``LONGEST_DELAY`` seconds. A conflict (409) only means that the cache was a step
    behind, so it is tried again without a word.
    """

    def __init__(self, name: str, reconcile: Callable[[K], None]) -> None:
        self._name = name
        self._reconcile = reconcile
        self._pending: dict[K, None] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, tuple[int, str]] = {}
        self._turn: asyncio.Handle | None = None
        self._closed = False

    def add(self, key: K) -> None:
        """Reconcile ``key`` in the next turn of the event loop."""
        if self._closed or key in self._pending:
            return
        self._pending[key] = None
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._run)

    def add_after(self, key: K, seconds: float) -> None:
        """Reconcile ``key`` in ``seconds``; of several such wishes for a key the earliest counts."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self._fire, key)

    def close(self) -> None:
        """Forget everything that waits; later calls do nothing."""
        self._closed = True
        self._pending.clear()
        for handle in (*self._timers.values(), *filter(None, [self._turn])):
            handle.cancel()
        self._timers.clear()
        self._turn = None

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + TURN_SECONDS
        while self._pending and not self._closed:
            key = next(iter(self._pending))
            del self._pending[key]
            self._try(key)
            if loop.time() > end:
                break
        self._turn = loop.call_soon(self._run) if self._pending and not self._closed else None

    def _try(self, key: K) -> None:
        try:
            self._reconcile(key)
        except Exception as error:  # noqa: BLE001 - one failing object must not stop the others
            self._failed(key, error)
        else:
            self._failures.pop(key, None)

    def _failed(self, key: K, error: Exception) -> None:
        count, said = self._failures.get(key, (0, ""))
        text = f"{type(error).__name__}: {error}"
        conflict = isinstance(error, StatusError) and error.code == CONFLICT
        if not conflict and text != said:
            logger.warning("%s: %s: %s", self._name, key, text, exc_info=not isinstance(error, StatusError))
            said = text
        self._failures[key] = (count + 1, said)
        self.add_after(key, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(count, 16)))
