"""Subscriptions of components in this process: told after the call that made the change, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import Object

    Callback: TypeAlias = Callable[[str, Object], None]


class Subscription:
    """One subscriber; ``active`` ends with it, also for what is already on its way."""

    __slots__ = ("active", "callback")

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.active = True


class Dispatcher:
    """One queue for all subscribers of a server, so that resourceVersions arrive in order across resources."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Subscription, str, Callable[[], Object]]] = deque()
        self._scheduled = False

    def send(self, subscription: Subscription, event: str, obj: Callable[[], Object]) -> None:
        """Call the subscriber back from the event loop; ``obj`` makes the copy that is its own."""
        self._waiting.append((subscription, event, obj))
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        """Deliver what was waiting; what the callbacks cause waits for the next turn of the loop."""
        self._scheduled = False
        for _ in range(len(self._waiting)):
            subscription, event, obj = self._waiting.popleft()
            if subscription.active:
                self._call(subscription, event, obj())
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    @staticmethod
    def _call(subscription: Subscription, event: str, obj: Object) -> None:
        """Keep one subscriber's error from the others, and from being overlooked."""
        try:
            subscription.callback(event, obj)
        except Exception as error:  # noqa: BLE001 - reported, and the others must still be called
            message = "a subscriber of the API server failed"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
