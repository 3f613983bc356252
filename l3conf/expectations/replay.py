"""Proof that recorded packets are worth nothing when they are sent again.

What an eavesdropper on the WAN has heard is sent again from the outsider, unchanged. Clear packets of the same
recording must arrive a second time: otherwise nothing was replayed, and the row is an ``error``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.capture.replay import captured_packets, with_udp_checksum
from l3conf.errors import LabError
from l3conf.expectations.flow import TRIES, arrived, failures
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from l3conf.expectations.flow import Flow
    from l3conf.expectations.harness import Harness
    from l3conf.observation import Observation

_WIRE, _REPLAYER = "wan", "@outsider"
_TCP = 6
_IPV4_VERSION, _IPV4_PROTOCOL, _IPV6_NEXT_HEADER = 4, 9, 6


def expect(harness: Harness, flows: Sequence[Flow], control: Sequence[Flow]) -> None:
    """Record flows on the WAN, send the recording again, and expect no packet of them to arrive twice.

    ``AssertionError`` if one does, or if they do not arrive in the first place; ``LabError`` if the control, clear
    packets from outside, does not arrive twice.
    """
    with harness.lab.capture(_WIRE) as file:
        seen = _sent(harness, [*flows, *control])
    recording = _recorded(file)
    harness.lab.inject(_REPLAYER, recording)
    harness.note(f"replayed {len(recording)} packets")
    _control_arrives_again(harness, control, seen[len(flows) :])
    # The clear packets were the last of the recording: what was replayed before them has arrived, or never will.
    again = [
        (flow, f"{count} copies arrived")
        for flow, one in zip(flows, seen, strict=False)
        if (count := _copies(harness, flow, one)) > 1
    ]
    if again:
        raise AssertionError(f"replayed packets were accepted:\n{failures(again)}")


def _sent(harness: Harness, flows: Sequence[Flow]) -> list[Observation]:
    """Send everything, in order; all of it must arrive, one lost packet is not yet a finding."""
    seen = [_answered(harness, flow) for flow in flows]
    wrong = [(flow, words) for flow, one in zip(flows, seen, strict=True) if (words := arrived(flow, one, None))]
    if wrong:
        raise AssertionError(f"does not arrive in the first place:\n{failures(wrong)}")
    return seen


def _answered(harness: Harness, flow: Flow) -> Observation:
    """Return the first observation of a flow that arrived, or the last one."""
    for _ in range(TRIES):
        (seen,) = harness.send([flow.probe(harness.budgets.get("T_probe"))])
        if not arrived(flow, seen, None):
            break
    return seen


def _recorded(file: Path) -> list[bytes]:
    """Return what was heard but TCP: connections of others, the broker's for one, are not to be disturbed."""
    with file.open("rb") as stream:
        packets = captured_packets(stream, chosen=lambda packet: _protocol(packet) != _TCP)
    if not packets:
        raise LabError("nothing was recorded that could be replayed", where=_WIRE)
    return [with_udp_checksum(packet) for packet in packets]


def _protocol(packet: bytes) -> int:
    return packet[_IPV4_PROTOCOL] if packet[0] >> 4 == _IPV4_VERSION else packet[_IPV6_NEXT_HEADER]


def _copies(harness: Harness, flow: Flow, seen: Observation) -> int:
    return sum(len(harness.lab.sightings(receiver, [seen.nonce])) for receiver in flow.receivers)


def _control_arrives_again(harness: Harness, control: Sequence[Flow], seen: Sequence[Observation]) -> None:
    def look() -> str | Pending:
        once = [flow for flow, one in zip(control, seen, strict=True) if _copies(harness, flow, one) < 2]  # noqa: PLR2004 - a copy
        return Pending(f"seen once: {', '.join(map(str, once))}") if once or not control else "seen twice"

    try:
        harness.wait("replayed clear packets arrive again", look, "T_probe")
    except DeadlineMissedError as missed:
        raise LabError(str(missed), where=_WIRE) from None
