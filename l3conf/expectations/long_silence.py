"""Silence between clusters, captured: what tunnels send to keep themselves alive is all that passes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from l3conf.errors import LabError

if TYPE_CHECKING:
    from l3conf.expectations.harness import Harness
    from l3conf.expectations.wan import Wan, WanCapture

WINDOW = "W_mapping"


class LongSilence:
    """The WAN captured from now on, while nobody sends for at least ``W_mapping``. Ends with its lab."""

    def __init__(self, wan: Wan, harness: Harness) -> None:
        """Begin at once. ``LabError`` if the capture is blind."""
        self._harness = harness
        self._context = wan.capturing()
        self._capture = self._context.__enter__()
        self._capture.ends_after(harness.budgets.get(WINDOW))
        self._until = harness.clock.now() + harness.budgets.get(WINDOW)
        harness.note(f"silence for {WINDOW} = {harness.budgets.get(WINDOW):g} s begins")

    def over(self) -> WanCapture:
        """Wait until the window has passed and return its capture: what passes later does not count."""
        self._harness.clock.sleep(max(0.0, self._until - self._harness.clock.now()))
        return self._capture

    def end(self) -> None:
        """End the capture; what it is worth was asked before, so its last words count no more."""
        with suppress(LabError):
            self._context.__exit__(None, None, None)
