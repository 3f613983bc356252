"""Proof that packets cross a wire unreadable: nothing of them is found where clear packets are found.

A filter that sees nothing proves nothing. So the same search runs over clear packets in the same capture, before
and after the others; what it does not find there makes the row an ``error``. And packets between the sites must
have crossed the wire at all, if the flows had to arrive.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.capture.pcap import read_pcap
from l3conf.errors import LabError
from l3conf.expectations.flow import describe, failures
from l3conf.observation import Outcome
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from l3conf.expectations.flow import Flow
    from l3conf.expectations.harness import Harness
    from l3conf.observation import Observation

WIRE = "wan"
ROUNDS = 3
"""How often flows are sent that need not arrive."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What of a flow would be readable: its payload's nonce, and its addresses side by side as in an IP header."""

    flow: Flow
    payload: bytes
    headers: tuple[bytes, ...]

    def found_in(self, frame: bytes) -> str:
        """Return what of the flow a frame shows; empty if nothing."""
        if self.payload in frame:
            return "payload"
        return "inner addresses" if any(header in frame for header in self.headers) else ""


def marks_of(flow: Flow, seen: Observation) -> Marks:
    """Return what to look for. ``LabError`` if nothing was emitted."""
    if not seen.nonce:
        raise LabError(f"nothing was emitted: {describe(seen)}", where=str(flow))
    there = flow.server.address(flow.family).packed
    here = (flow.claiming or flow.client.address(flow.family)).packed
    return Marks(flow, bytes.fromhex(seen.nonce), (here + there, there + here))


def expect(
    harness: Harness,
    secret: Sequence[Flow],
    control: Sequence[Flow],
    *,
    during: AbstractContextManager[None] | None = None,
) -> None:
    """Send control, secret, control while the wire is captured; raise ``AssertionError`` if anything is readable.

    Without ``during`` the secret flows must arrive. With it, they are sent while that context is open, and whether
    they arrive is not asked. ``LabError`` if the control is not found in the capture.
    """
    with harness.lab.capture(WIRE) as file:
        clear = _clear(harness, control)
        with during or nullcontext():
            sent = _sent(harness, secret, must_arrive=during is None)
        clear += _clear(harness, control)
    judge(frames(file), sent, clear, must_cross=during is None)


def frames(file: Path) -> list[bytes]:
    """Return the frames of a capture."""
    with file.open("rb") as stream:
        return [frame.data for frame in read_pcap(stream, str(file))]


def judge(captured: Sequence[bytes], secret: Iterable[Marks], clear: Sequence[Marks], *, must_cross: bool) -> None:
    """Compare what was captured with what was sent; errors as of ``expect``. Pure."""
    unseen = [mark for mark in clear if not any(mark.payload in frame for frame in captured)]
    unseen += [mark for mark in clear if not any(header in frame for header in mark.headers for frame in captured)]
    if unseen or not clear:
        what = unseen[0].flow if unseen else "no control"
        raise LabError(f"the capture does not show what is sent in clear: {what}", where=WIRE)
    others = [frame for frame in captured if not any(mark.found_in(frame) for mark in clear)]
    if must_cross and not others:
        raise LabError("no packet between the sites crossed the captured wire", where=WIRE)
    found = [(mark.flow, words) for mark in secret if (words := _readable(mark, captured))]
    if found:
        raise AssertionError(f"readable on the {WIRE}:\n{failures(found)}")


def _readable(mark: Marks, captured: Iterable[bytes]) -> str:
    seen = {mark.found_in(frame) for frame in captured} - {""}
    return f"{' and '.join(sorted(seen))} in clear" if seen else ""


def _clear(harness: Harness, control: Sequence[Flow]) -> list[Marks]:
    """Send the control until each of it has arrived; ``LabError`` if it does not: no implementation is in its way."""

    def look() -> list[Marks] | Pending:
        seen = harness.send([flow.probe(harness.budgets.get("T_probe") / 3) for flow in control])
        missing = [flow for flow, one in zip(control, seen, strict=True) if one.outcome is not Outcome.DELIVERED]
        if missing:
            return Pending(f"not answered: {', '.join(map(str, missing))}")
        return [marks_of(flow, one) for flow, one in zip(control, seen, strict=True)]

    try:
        return harness.wait("clear control crosses the wire", look, "T_probe")
    except DeadlineMissedError as missed:
        raise LabError(str(missed), where=WIRE) from None


def _sent(harness: Harness, flows: Sequence[Flow], *, must_arrive: bool) -> list[Marks]:
    if not flows:
        raise LabError("an expectation about no traffic at all proves nothing", where=WIRE)
    marks: list[Marks] = []
    patience = harness.budgets.get("T_probe")
    for _ in range(ROUNDS):
        seen = harness.send([flow.probe(patience / (1 if must_arrive else ROUNDS)) for flow in flows])
        marks += [marks_of(flow, one) for flow, one in zip(flows, seen, strict=True) if one.nonce]
        late = [
            (flow, describe(one)) for flow, one in zip(flows, seen, strict=True) if one.outcome is not Outcome.DELIVERED
        ]
        if must_arrive and not late:
            break
    if must_arrive and late:
        raise AssertionError(f"does not arrive at all:\n{failures(late)}")
    return marks
