"""What the kubelet knows of one container, as a state machine.

::

    waiting ──► running ──► terminated ──► waiting (back-off) ──► running …
       └──────────────────► terminated (its program could not be started)
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.emulator.controllers.conditions import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from l3conf.emulator.cluster_api import Object

START_FAILED = 128
"""Exit code of a container whose program could not be started."""


@dataclass(slots=True, kw_only=True)
class ContainerState:
    """One container's state, counters and identity."""

    name: str
    image: str
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    """``waiting``, ``running`` or ``terminated``, as in the API."""
    last_state: Object = field(default_factory=dict)
    runs: int = 0
    """How often the container was started, with or without success."""
    container_id: str = ""
    started: bool = False
    """Running, and past its startup probe."""
    ready: bool = False
    started_at: datetime | None = None

    @property
    def exit_code(self) -> int | None:
        """Exit code of a container that ended; None for any other."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    @property
    def restarts(self) -> int:
        """Starts beyond the first."""
        return max(0, self.runs - 1)

    def wait(self, reason: str, message: str) -> None:
        """Enter ``waiting``."""
        self._leave()
        self.state = {"waiting": {"reason": reason, "message": message}}

    def run(self, now: datetime) -> None:
        """Enter ``running``."""
        self._leave()
        self.runs += 1
        self.started_at = now
        self.container_id = f"l3conf://{secrets.token_hex(32)}"
        self.state = {"running": {"startedAt": timestamp(now)}}

    def fail_to_start(self, message: str, now: datetime) -> None:
        """Enter ``terminated`` without having run."""
        self._leave()
        self.runs += 1
        self.started_at = None
        times = {"startedAt": timestamp(now), "finishedAt": timestamp(now)}
        self.state = {"terminated": {"exitCode": START_FAILED, "reason": "StartError", "message": message, **times}}

    def end(self, code: int, now: datetime, message: str = "") -> None:
        """Enter ``terminated`` after a run."""
        terminated = {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "startedAt": timestamp(self.started_at or now),
            "finishedAt": timestamp(now),
            "containerID": self.container_id,
        }
        self.state = {"terminated": terminated | ({"message": message} if message else {})}
        self.started = self.ready = False

    def settle(self) -> None:
        """Say how the last run ended instead of waiting for one that will not come."""
        if "waiting" in self.state and self.last_state:
            self.state = self.last_state

    def to_status(self) -> Object:
        """Return the entry of ``containerStatuses``."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"l3conf://{self.image}" if self.container_id else "",
            "containerID": self.container_id,
            "state": self.state,
            "lastState": self.last_state,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }

    def _leave(self) -> None:
        if "terminated" in self.state:
            self.last_state = self.state
