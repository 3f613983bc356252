"""A member whose Endpoint never stands still."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import BusyHostError, LabError
from l3conf.plugin.cluster_api import MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import ClusterAPI

_ENOUGH = 0.8
"""Share of the changes that must have been made for the noise to have been one."""


@dataclass(slots=True)
class Noise:
    """Changes made so far."""

    updates: int = 0
    refused: str = ""


@contextmanager
def making_noise(api: ClusterAPI, path: str, rate: float) -> Iterator[Noise]:
    """Change a setting of the Endpoint at ``path`` ``rate`` times a second, from a thread, while the context is open.

    ``BusyHostError`` where that was less than four fifths of it: then nobody had to bear anything.
    """
    noise, over = Noise(), threading.Event()
    thread = threading.Thread(target=_make, args=(api, path, rate, noise, over), name="noise", daemon=True)
    began = time.monotonic()
    thread.start()
    try:
        yield noise
        made, seconds = noise.updates, time.monotonic() - began
    finally:
        over.set()
        thread.join()
    if noise.refused:
        raise LabError(f"changes are refused{noise.refused}", where=path)
    if made < _ENOUGH * rate * seconds:
        raise BusyHostError(f"{made} changes in {seconds:.1f} s instead of {rate:g} a second", where=path)


def _make(api: ClusterAPI, path: str, rate: float, noise: Noise, over: threading.Event) -> None:
    began = time.monotonic()
    while not over.wait(max(0.0, began + noise.updates / rate - time.monotonic())):
        change = {"spec": {"backend_config": {"preferred-server-timestamp": str(noise.updates)}}}
        answer = api.request("PATCH", path, body=change, content_type=MERGE_PATCH)
        if not answer.ok:
            noise.refused = f": {answer.status} {answer.message}"
            return
        noise.updates += 1
