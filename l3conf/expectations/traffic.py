"""The fluent words: ``tcp(client, server).arrives(...)`` and its kin.

A positive expectation is met within its budget or fails with the cell and the hop. A negative one cannot be
written without its control (``l3conf.expectations.silence``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.expectations import replay, silence
from l3conf.expectations.diagnosis import diagnose
from l3conf.expectations.flow import TRIES, Flow, arrived, describe, failures
from l3conf.expectations.places import Service
from l3conf.observation import Observation, Outcome, Protocol
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from l3conf.expectations.flow import Sources
    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Client, Pod, Server
    from l3conf.observation import Probe

    Judge = Callable[[Flow, Observation], str]
    """Says what is wrong with an observation; empty if nothing is."""

_ECN = 0b11
"""The lower bits of the traffic class (RFC 3168)."""
_PER_BACKEND = 6
"""Probes a round and backend when every backend of a Service must answer: kube-proxy chooses at random."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One or many flows that must all meet the same expectation."""

    flows: tuple[Flow, ...]

    def arrives(
        self, *, seen_as: Sources | None = None, within: str = "T_probe", since: float | None = None
    ) -> list[Observation]:
        """Expect every flow to be answered intact, by its server, with the source that ``seen_as`` asks for.

        Within a budget that counts from ``since`` (``time.monotonic``), or from now.
        """
        return self._meets("arrives", lambda flow, seen: arrived(flow, seen, seen_as), within, since=since)

    def arrives_with_ecn(self, *, within: str = "T_probe") -> list[Observation]:
        """Expect every flow to be answered, and its packets to arrive with the ECN field that they were sent with."""

        def judge(flow: Flow, seen: Observation) -> str:
            sightings = [
                one for receiver in flow.receivers for one in self._harness.lab.sightings(receiver, [seen.nonce])
            ]
            marks = {one.traffic_class & _ECN for one in sightings if one.traffic_class is not None}
            sent = (flow.traffic_class or 0) & _ECN
            wrong = "" if marks == {sent} else f"sent with ECN {sent:02b}, arrived with {sorted(marks) or 'none'}"
            return arrived(flow, seen, None) or wrong

        return self._meets("arrives with its ECN field", judge, within)

    def arrives_everywhere(self, *, seen_as: Sources | None = None, within: str = "T_probe") -> None:
        """Expect every backend of the Service that each flow addresses to answer at least once."""
        missing = {(flow, pod) for flow in self.flows for pod in _backends(flow)}

        def look() -> str | Pending:
            rounds = [flow for flow in self.flows for _ in range(_PER_BACKEND * len(_backends(flow)))]
            wrong = []
            for flow, seen in zip(rounds, self._harness.send(self._questions(rounds)), strict=True):
                words = arrived(flow, seen, seen_as)
                if words:
                    wrong.append((flow, words))
                else:
                    missing.difference_update({(flow, pod) for pod in _backends(flow) if pod.place == seen.responder})
            wrong += [(flow, f"backend {pod} never answered") for flow, pod in missing]
            return Pending(f"wrong:\n{failures(wrong)}") if wrong else "every backend answered"

        self._wait("every ready backend answers", look, within, blamed=lambda: [flow for flow, _ in missing])

    def is_refused(self, *, within: str = "T_probe") -> list[Observation]:
        """Expect an explicit refusal: RST in answer to SYN, ICMP port unreachable."""
        return self.ends_in(Outcome.REFUSED, within=within)

    def ends_in(self, *outcomes: Outcome, within: str = "T_probe") -> list[Observation]:
        """Expect every flow to end in one of these outcomes, and return the observations in the flows' order."""
        wanted = " or ".join(outcome.value for outcome in outcomes)
        ask = self._once if Outcome.TIMEOUT in outcomes else None
        return self._meets(
            wanted, lambda _flow, seen: "" if seen.outcome in outcomes else describe(seen), within, ask=ask
        )

    def meets(self, what: str, judge: Judge, *, within: str = "T_probe") -> list[Observation]:
        """Expect ``judge`` to find nothing wrong with any flow; for what has no word of its own."""
        return self._meets(what, judge, within)

    def must_not_arrive(self, *, control: Traffic) -> None:
        """Expect that no packet of these flows reaches its receiver.

        ``control`` is traffic to the same receivers that must arrive in the same window: without it, a dead
        receiver would pass. Its receivers' sightings prove that they heard, and that they heard none of these.
        """
        silence.expect(self._harness, self.flows, control.flows)

    def passes(self, bystanders: Iterable[Pod], *, control: Traffic, within: str = "T_probe") -> None:
        """Expect every flow to be answered by its server, and none of these pods to see a packet of it.

        ``control`` is traffic to each of them that must arrive in the same window, over the same protocols.
        """
        silence.expect_passing(self._harness, self.flows, tuple(bystanders), control.flows, within)

    def is_not_replayable(self, *, control: Traffic) -> None:
        """Expect that a recording of these packets on the WAN, sent again, is dropped.

        ``control`` is clear traffic over the same wire, whose copies must arrive.
        """
        replay.expect(self._harness, self.flows, control.flows)

    def observe(self) -> list[Observation]:
        """Send every flow once and return what came of it, expecting nothing."""
        return self._harness.send(self._once(self.flows))

    @property
    def _harness(self) -> Harness:
        if not self.flows:
            raise LabError("an expectation about no traffic at all proves nothing", remedy="check how pairs are chosen")
        return self.flows[0].client.harness

    def _questions(self, flows: Iterable[Flow]) -> list[Probe]:
        patience = self._harness.budgets.get("T_probe")
        return [flow.question(patience) for flow in flows]

    def _once(self, flows: Iterable[Flow]) -> list[Probe]:
        """Return probes that are sent once: silence may be the answer, and takes a third of what answers may."""
        patience = self._harness.budgets.get("T_probe") / TRIES
        return [flow.probe(patience) for flow in flows]

    def _meets(
        self,
        what: str,
        judge: Judge,
        within: str,
        *,
        since: float | None = None,
        ask: Callable[[Iterable[Flow]], list[Probe]] | None = None,
    ) -> list[Observation]:
        """Send until the judge is content with every flow; what once was right need not be shown again."""
        done: dict[int, Observation] = {}
        wrong: list[tuple[Flow, str]] = []

        def look() -> str | Pending:
            open_ = [index for index in range(len(self.flows)) if index not in done]
            seen = self._harness.send((ask or self._questions)([self.flows[index] for index in open_]))
            judged = [(index, one, judge(self.flows[index], one)) for index, one in zip(open_, seen, strict=True)]
            done.update({index: one for index, one, words in judged if not words})
            wrong[:] = [(self.flows[index], words) for index, _, words in judged if words]
            if wrong:
                return Pending(f"{len(wrong)} of {len(self.flows)} flows differ:\n{failures(wrong)}")
            return what

        self._wait(f"{self}: {what}", look, within, blamed=lambda: [flow for flow, _ in wrong], since=since)
        return [done[index] for index in range(len(self.flows))]

    def _wait(
        self,
        condition: str,
        look: Callable[[], str | Pending],
        within: str,
        *,
        blamed: Callable[[], list[Flow]],
        since: float | None = None,
    ) -> None:
        try:
            self._harness.wait(condition, look, within, started=since)
        except DeadlineMissedError as missed:
            if missed.last is None:
                raise
            where = diagnose(self._harness, blamed()[:1])
            raise AssertionError("\n".join([str(missed), *where])) from None

    def __str__(self) -> str:
        """Return what this is about, for a condition's name."""
        if len(self.flows) == 1:
            return str(self.flows[0])
        return f"{len(self.flows)} flows"


def tcp(client: Client, server: Server, **shape: Any) -> Traffic:  # noqa: ANN401 - fields of Flow, checked there
    """Return TCP traffic: a connection, the payload, its echo. ``shape``: further fields of ``Flow``."""
    return Traffic((Flow(client=client, server=server, protocol=Protocol.TCP, **shape),))


def udp(client: Client, server: Server, **shape: Any) -> Traffic:  # noqa: ANN401 - likewise
    """Return UDP traffic: one datagram and its echo."""
    return Traffic((Flow(client=client, server=server, protocol=Protocol.UDP, **shape),))


def icmp(client: Client, server: Server, **shape: Any) -> Traffic:  # noqa: ANN401 - likewise
    """Return an ICMP echo request and its reply."""
    return Traffic((Flow(client=client, server=server, protocol=Protocol.ICMP, **shape),))


def sctp(client: Client, server: Server, **shape: Any) -> Traffic:  # noqa: ANN401 - likewise
    """Return SCTP traffic: an association, one message and its echo."""
    return Traffic((Flow(client=client, server=server, protocol=Protocol.SCTP, **shape),))


def every(traffic: Iterable[Traffic]) -> Traffic:
    """Return many flows as one: sent together, judged together."""
    return Traffic(tuple(flow for one in traffic for flow in one.flows))


def with_protocol(traffic: Traffic, protocol: Protocol) -> Traffic:
    """Return the same flows over another protocol."""
    return Traffic(tuple(replace(flow, protocol=protocol) for flow in traffic.flows))


def _backends(flow: Flow) -> tuple[Pod, ...]:
    return flow.server.backends if isinstance(flow.server, Service) else ()
