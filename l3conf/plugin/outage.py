"""Two timelines of one outage: what the gateways' status said, and what packets did at the same time.

The direction ``source -> destination`` is cut until both ends report the loss or the time for both is over, then healed
until both report the connection again. Judging is left to pure functions over the result.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.flow import Flow
from l3conf.observation import Outcome, Protocol
from l3conf.plugin import conditions
from l3conf.plugin.gateways import CONNECTED
from l3conf.plugin.status_watch import Report, StatusWatch
from l3conf.wait import LATE_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from l3conf.plugin.conditions import Version
    from l3conf.plugin.lab import Lab

_PERIOD = 0.1
"""Seconds between two rounds of probes: the resolution of the packets' timeline."""
_PATIENCE = 0.3


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Whether a packet went from a pod of the source to one of the destination and back."""

    time: float
    """When it was sent."""
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What was seen, on one clock (``time.monotonic``)."""

    source: str
    destination: str
    cut_at: float
    healed_at: float
    ended_at: float
    reports: tuple[Report, ...]
    """In order of time, those that held before the cut included."""
    round_trips: tuple[RoundTrip, ...]
    versions: tuple[Version, ...] = ()
    """Every Gateway and Cluster object of both ends, in order of time."""

    @property
    def condition_faults(self) -> list[str]:
        """What is wrong with conditions that changed during the outage."""
        return conditions.faults(self.versions)

    def stages(self, cluster: str, at: float) -> list[str]:
        """Return what a cluster's conditions Accepted, Programmed, Connected said of the other end at a moment."""
        peer = self.destination if cluster == self.source else self.source
        return conditions.stages(self.versions, cluster, peer, at)

    @property
    def ends(self) -> tuple[str, str]:
        """Both clusters."""
        return self.source, self.destination

    def connected_before(self, cluster: str) -> bool:
        """Whether a cluster said ``connected`` when the cut was made: without that its silence proves nothing."""
        said = [report.status for report in self.reports if report.cluster == cluster and report.time <= self.cut_at]
        return bool(said) and said[-1] == CONNECTED

    def loss_reported(self, cluster: str) -> float:
        """Return the seconds from the cut until a cluster stopped saying ``connected``; infinity if it never did."""
        for report in self.reports:
            if report.cluster == cluster and report.time > self.cut_at and report.status != CONNECTED:
                return report.time - self.cut_at
        return math.inf

    def recovery_reported(self, cluster: str) -> float:
        """Return the seconds from the healing until a cluster said ``connected`` for good; infinity if it does not."""
        said = [report for report in self.reports if report.cluster == cluster]
        if said and said[-1].status == CONNECTED:
            return max(0.0, said[-1].time - self.healed_at)
        return math.inf

    @property
    def packets_recovered(self) -> float:
        """The seconds from the healing until a packet first went there and back; infinity if none did."""
        crossed = [trip.time for trip in self.round_trips if trip.delivered and trip.time >= self.healed_at]
        return crossed[0] - self.healed_at if crossed else math.inf

    @property
    def disagreement(self) -> float:
        """The longest time in seconds, from the cut on, for which only one end said ``connected``."""
        return disagreement(self.reports, self.ends, since=self.cut_at, until=self.ended_at)

    def stale_claims(self, fresh: float) -> list[str]:
        """Return a line for every time in which ``connected`` rested on no round trip of the last ``fresh`` seconds."""
        return [
            f"{cluster} said connected from {begin - self.cut_at:.1f} s to {end - self.cut_at:.1f} s after the cut,"
            f" more than {fresh:g} s after the last delivery"
            for cluster, begin, end in stale_claims(self.reports, self.round_trips, fresh=fresh, until=self.ended_at)
        ]


def disagreement(reports: Iterable[Report], ends: tuple[str, str], *, since: float, until: float) -> float:
    """Return the longest time, in seconds, for which one end said ``connected`` and the other did not."""
    said = dict.fromkeys(ends, "")
    longest, begin = 0.0, math.inf
    for report in sorted(reports, key=lambda report: report.time):
        longest = max(longest, report.time - max(begin, since))
        said[report.cluster] = report.status
        differ = len({status == CONNECTED for status in said.values()}) > 1
        begin = min(begin, report.time) if differ else math.inf
    return max(longest, until - max(begin, since))


def stale_claims(
    reports: Iterable[Report], round_trips: Iterable[RoundTrip], *, fresh: float, until: float
) -> list[tuple[str, float, float]]:
    """Return ``(cluster, from, to)`` for every time in which ``connected`` rested on nothing fresh.

    A claim is fresh for ``fresh`` seconds after a delivered round trip. Claims are followed until ``until``, and
    from the first delivery on, or from the first packet if none arrived: what arrived before anybody looked
    cannot be known.
    """
    trips = sorted(round_trips, key=lambda trip: trip.time)
    delivered = [trip.time for trip in trips if trip.delivered]
    since = next(iter(delivered), trips[0].time if trips else until)
    by_cluster: dict[str, list[Report]] = {}
    for report in reports:
        by_cluster.setdefault(report.cluster, []).append(report)
    found = []
    for cluster, said in by_cluster.items():
        ends = [*(report.time for report in said[1:]), until]
        for report, end in zip(said, ends, strict=True):
            if report.status == CONNECTED:
                found += [
                    (cluster, begin, to) for begin, to in _uncovered(max(report.time, since), end, delivered, fresh)
                ]
    return found


def _uncovered(begin: float, end: float, delivered: Sequence[float], fresh: float) -> list[tuple[float, float]]:
    """Return the parts of ``begin..end`` that no delivery covers for ``fresh`` seconds after itself."""
    gaps, covered = [], begin
    for moment in delivered:
        if moment >= end:
            break
        if moment > covered:
            gaps.append((covered, moment))
        covered = max(covered, moment + fresh)
    if covered < end:
        gaps.append((covered, end))
    return gaps


def watch_outage(lab: Lab, source: str, destination: str) -> Outage:
    """Cut ``source -> destination``, watch, heal, watch. ``LabError`` if the cut let packets through."""
    budgets = lab.harness.budgets
    with StatusWatch(lab, (source, destination)) as watch:
        recorder = _Recorder(lab, watch, source, destination)
        recorder.until(lambda: recorder.says_connected and recorder.delivering, budgets.get("T_recover"))
        with lab.cut(source, destination):
            cut_at = time.monotonic()
            # An end that notices late, or never, has its whole time after the other one has noticed (L3-E9).
            longest = budgets.get("T_detect") + max(budgets.get("T_detect"), budgets.get("T_fresh")) + LATE_WINDOW
            recorder.until(lambda: recorder.says_lost, longest)
            # Packets that were under way while the cut was made prove nothing about it.
            if any(trip.delivered for trip in recorder.round_trips if trip.time > cut_at):
                raise LabError(f"packets crossed while {source} -> {destination} was cut")
        healed_at = time.monotonic()
        recorder.until(lambda: recorder.says_connected and recorder.delivering, budgets.get("T_recover"))
    return _outage(recorder, watch, source, destination, cut_at, healed_at)


def watch_loss(lab: Lab, one: str, other: str, seconds: float) -> Outage:
    """Cut both directions for some seconds whatever is reported, heal, and watch. ``LabError`` as above."""
    budgets = lab.harness.budgets
    with StatusWatch(lab, (one, other)) as watch:
        recorder = _Recorder(lab, watch, one, other)
        recorder.until(lambda: recorder.says_connected and recorder.delivering, budgets.get("T_recover"))
        with lab.cut(one, other), lab.cut(other, one):
            cut_at = time.monotonic()
            recorder.until(lambda: False, seconds)
            if any(trip.delivered for trip in recorder.round_trips if trip.time > cut_at):
                raise LabError(f"packets crossed while {one} and {other} were cut apart")
        healed_at = time.monotonic()
        recorder.until(lambda: recorder.says_connected and recorder.delivering, budgets.get("T_recover"))
    return _outage(recorder, watch, one, other, cut_at, healed_at)


def _outage(
    recorder: _Recorder, watch: StatusWatch, source: str, destination: str, cut: float, healed: float
) -> Outage:
    return Outage(
        source=source,
        destination=destination,
        cut_at=cut,
        healed_at=healed,
        ended_at=time.monotonic(),
        reports=tuple(sorted(recorder.reports, key=lambda report: report.time)),
        round_trips=tuple(recorder.round_trips),
        versions=tuple(sorted(watch.versions, key=lambda version: version.time)),
    )


class _Recorder:
    """Records both timelines: status by a watch, packets by the caller's ``until``."""

    def __init__(self, lab: Lab, watch: StatusWatch, source: str, destination: str) -> None:
        self.round_trips: list[RoundTrip] = []
        self._lab = lab
        self._watch = watch
        self._pairs = ((source, destination), (destination, source))
        client, server = lab.pods.one_in_each(source, destination)
        self._flow = Flow(client=client, server=server, protocol=Protocol.UDP, family=lab.families[0])

    @property
    def reports(self) -> list[Report]:
        """What the two ends said of each other."""
        return [report for report in self._watch.reports if (report.cluster, report.peer) in self._pairs]

    @property
    def says_connected(self) -> bool:
        """Whether both ends say that they are connected, by status and by conditions, which are written apart."""
        return self._watch.says_connected(*self._pairs) and self._established <= {"", "True"}

    @property
    def says_lost(self) -> bool:
        """Whether neither end says that it is connected, by status or by conditions."""
        return not any(self._watch.says_connected(pair) for pair in self._pairs) and "True" not in self._established

    @property
    def _established(self) -> set[str]:
        """What conditions of both ends say of the connection now; "" where there are none."""
        versions, now = sorted(self._watch.versions, key=lambda version: version.time), time.monotonic()
        return {conditions.stages(versions, cluster, peer, now)[-1] for cluster, peer in self._pairs}

    @property
    def delivering(self) -> bool:
        """Whether the newest packet went there and back."""
        return bool(self.round_trips) and self.round_trips[-1].delivered

    def until(self, done: Callable[[], bool], seconds: float) -> None:
        """Send one probe a period until ``done()`` or the time is over."""
        deadline = time.monotonic() + seconds
        for _ in itertools.takewhile(lambda _: time.monotonic() < deadline, itertools.count()):
            began = time.monotonic()
            (seen,) = self._lab.harness.send([self._flow.probe(_PATIENCE)])
            self.round_trips.append(RoundTrip(began, seen.outcome is Outcome.DELIVERED))
            if done():
                return
            self._watch.stopped.wait(max(0.0, began + _PERIOD - time.monotonic()))
