"""Work on other people's clusters that a second Ctrl-C must not break off: taking away what a run has made."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uninterrupted(what: str) -> Iterator[None]:
    """Answer SIGINT with ``what`` is going on, while the context is open; in the main thread, where it is raised."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def say(_number: int, _frame: object) -> None:
        print(f"l3conf: {what}; SIGKILL ends it at once", file=sys.stderr, flush=True)  # noqa: T201 - to the user

    # A handler and not SIG_IGN, which hooks would inherit.
    previous = signal.signal(signal.SIGINT, say)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
