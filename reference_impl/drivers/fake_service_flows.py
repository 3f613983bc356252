"""Flows to Services in memory, as a kernel keeps them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.flows import ServiceFlow


class FakeServiceFlows:
    """A table of flows; ``begin`` is what packets do."""

    def __init__(self) -> None:
        self.known: set[ServiceFlow] = set()
        self.taken: set[ServiceFlow] = set()
        self._heard: list[FakeNewFlows] = []

    def begin(self, flow: ServiceFlow) -> None:
        """Have a flow begin here."""
        self.known.add(flow)
        for each in self._heard:
            each.tell(flow)

    def flows(self) -> list[ServiceFlow]:
        """Return all that there are."""
        return list(self.known)

    def put(self, flow: ServiceFlow, seconds: int) -> bool:
        """Know a flow."""
        assert seconds > 0  # noqa: S101 - a fake's own insistence
        self.known.add(flow)
        return True

    def take(self, flow: ServiceFlow, seconds: int) -> None:
        """Know a flow that was known as something else."""
        self.put(flow, seconds)
        self.taken.add(flow)

    def end(self, flow: ServiceFlow) -> None:
        """Forget a flow."""
        self.known.discard(flow)

    def hear(self) -> FakeNewFlows:
        """Begin to hear."""
        heard = FakeNewFlows()
        self._heard.append(heard)
        return heard

    def close(self) -> None:
        """Do nothing: there is no socket."""


class FakeNewFlows:
    """Flows as they begin, and a pipe that says so."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._waiting: list[ServiceFlow] = []

    def tell(self, flow: ServiceFlow) -> None:
        """Have one more begun."""
        self._waiting.append(flow)
        os.write(self._write, b"x")

    def fileno(self) -> int:
        """Return the end that becomes readable."""
        return self._read

    def read(self) -> list[ServiceFlow]:
        """Return those since the last call."""
        with suppress(BlockingIOError):
            os.read(self._read, len(self._waiting) or 1)
        found, self._waiting = self._waiting, []
        return found

    def close(self) -> None:
        """Close the pipe. Idempotent."""
        for each in (self._read, self._write):
            with suppress(OSError):
                os.close(each)
