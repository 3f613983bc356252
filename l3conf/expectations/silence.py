"""Proof that something did not arrive: the sender spoke, the receiver heard, and heard none of it.

Any error counting as "blocked" is how suites come to pass dead receivers. So silence has a control: traffic to
the same receivers, before and after the forbidden packets and through the same sightings. If the control is
missing where no implementation stands in its way, the harness is broken: ``LabError``, verdict ``error``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.diagnosis import diagnose
from l3conf.expectations.flow import Flow, arrived, describe, failures
from l3conf.expectations.places import Outsider, Pod, Service, Stranger
from l3conf.observation import Observation, Outcome, Protocol
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.expectations.harness import Harness


def expect(harness: Harness, forbidden: Sequence[Flow], control: Sequence[Flow]) -> None:
    """Send control, forbidden, control; raise ``AssertionError`` if any forbidden packet was seen.

    ``LabError`` if the control does not cover every receiver, or the harness cannot be shown to work.
    """
    _check_coverage(forbidden, control)
    _control_arrives(harness, control, "before")
    window = harness.budgets.get("W_silence")
    emitted = harness.send([flow.probe(window) for flow in forbidden])
    _check_emission(forbidden, emitted)
    # Sent after the forbidden packets: once these have arrived, slower ones would have arrived too.
    _control_arrives(harness, control, "after")
    seen = [
        (flow, f"arrived at {receiver}, from {sighting.source}")
        for flow, observation in zip(forbidden, emitted, strict=True)
        for receiver in flow.receivers
        for sighting in harness.lab.sightings(receiver, [observation.nonce])
    ]
    answered = [
        (flow, describe(observation))
        for flow, observation in zip(forbidden, emitted, strict=True)
        if observation.outcome in {Outcome.DELIVERED, Outcome.CORRUPTED, Outcome.RESET}
    ]
    if seen or answered:
        raise AssertionError(f"arrived, though it must not:\n{failures(seen or answered)}")


def expect_passing(
    harness: Harness,
    flows: Sequence[Flow],
    bystanders: Sequence[Pod],
    control: Sequence[Flow],
    within: str,
) -> None:
    """Send control, flows, control; raise ``AssertionError`` if a flow is not answered or a bystander sees a packet.

    ``LabError`` if the control does not show, over every protocol, that each bystander hears.
    """
    asked = tuple(replace(flow, server=pod) for flow in flows for pod in bystanders)
    _check_coverage(asked, control)
    _control_arrives(harness, control, "before")
    open_, nonces = list(flows), list[str]()

    def look() -> str | Pending:
        sent = harness.send([flow.question(harness.budgets.get("T_probe")) for flow in open_])
        nonces.extend(seen.nonce for seen in sent)
        wrong = [(flow, words) for flow, one in zip(open_, sent, strict=True) if (words := arrived(flow, one, None))]
        open_[:] = [flow for flow, _ in wrong]
        return Pending(f"{len(wrong)} of {len(flows)} flows differ:\n{failures(wrong)}") if wrong else "all answered"

    try:
        harness.wait("what passes bystanders is answered", look, within)
    except DeadlineMissedError as missed:
        if missed.last is None:
            raise
        raise AssertionError("\n".join([str(missed), *diagnose(harness, open_[:1])])) from None
    _control_arrives(harness, control, "after")
    heard = {pod: len(harness.lab.sightings(pod.place, nonces)) for pod in bystanders}
    lines = [
        f"  {pod} at {', '.join(map(str, pod.addresses))}: {count} packets" for pod, count in heard.items() if count
    ]
    if lines:
        raise AssertionError("\n".join(["heard by pods that they were not for:", *lines]))


def _check_coverage(forbidden: Sequence[Flow], control: Sequence[Flow]) -> None:
    """Insist that every receiver of forbidden packets is also one of the control, over the same protocol."""
    proved = {(receiver, flow.protocol) for flow in control for receiver in flow.receivers}
    for flow in forbidden:
        for receiver in flow.receivers:
            if (receiver, flow.protocol) not in proved:
                raise LabError(f"no control shows that {receiver} hears {flow.protocol.value}", where=str(flow))


def _control_arrives(harness: Harness, control: Sequence[Flow], when: str) -> None:
    """Wait until every control packet was seen by its receiver."""
    missing: list[Flow] = []

    def look() -> str | Pending:
        sent = harness.send([flow.probe(harness.budgets.get("T_probe") / 3) for flow in control])
        missing[:] = [flow for flow, seen in zip(control, sent, strict=True) if not _heard(harness, flow, seen)]
        return Pending(f"not seen: {', '.join(str(flow) for flow in missing)}") if missing else "heard"

    try:
        harness.wait(f"control of silence arrives, {when}", look, "T_probe")
    except DeadlineMissedError as missed:
        for flow in missing:
            _blame(harness, flow, str(missed))


def _heard(harness: Harness, flow: Flow, seen: Observation) -> bool:
    """Whether the receiver itself saw this packet; an answer alone would not show that its sightings work."""
    return any(harness.lab.sightings(receiver, [seen.nonce]) for receiver in flow.receivers)


def _blame(harness: Harness, flow: Flow, missed: str) -> None:
    """Decide whose fault a missing control is, and raise it.

    A receiver that does not even see its own packets is broken. One that does, but not the control, was cut off:
    by the implementation if the control crosses clusters, else by the lab.
    """
    if _crosses_clusters(flow) and all(_hears_itself(harness, pod) for pod in _pods(flow)):
        raise AssertionError(f"nothing can be said, for the control did not arrive either: {missed}") from None
    raise LabError(f"the control did not arrive, so silence proves nothing: {missed}", where=str(flow)) from None


def _crosses_clusters(flow: Flow) -> bool:
    if isinstance(flow.client, Outsider) or isinstance(flow.server, Outsider | Stranger):
        return False
    there = flow.server.cluster if isinstance(flow.server, Service) else flow.server.site.cluster
    return flow.client.site.cluster != there


def _pods(flow: Flow) -> tuple[Pod, ...]:
    if isinstance(flow.server, Service):
        return flow.server.backends
    return (flow.server,) if isinstance(flow.server, Pod) else ()


def _hears_itself(harness: Harness, pod: Pod) -> bool:
    """Whether a pod sees a packet that it sends to its own address: no node and no implementation on the way."""
    own = Flow(client=pod.local, server=pod.local, protocol=Protocol.UDP)
    (seen,) = harness.send([own.probe(harness.budgets.get("T_probe") / 3)])
    return _heard(harness, own, seen)


def _check_emission(flows: Sequence[Flow], emitted: Sequence[Observation]) -> None:
    """Insist that every forbidden packet left its sender: what was not sent proves nothing."""
    for flow, seen in zip(flows, emitted, strict=True):
        if seen.outcome is Outcome.NO_ROUTE or not seen.nonce:
            raise LabError(f"nothing was emitted: {describe(seen)}", where=str(flow))
