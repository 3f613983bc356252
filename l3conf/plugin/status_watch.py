"""What gateways say of their connections, as a timeline: every change, in every cluster that is watched."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from l3conf.plugin.cluster_api import GROUP, follow
from l3conf.plugin.conditions import Version
from l3conf.plugin.gateways import CONNECTED, latest_connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from l3conf.plugin.cluster_api import Object
    from l3conf.plugin.furnished import FurnishedLab
    from l3conf.plugin.gateways import Connection


_LOOK = 0.25
"""Seconds between two looks without a change: reports grow stale by themselves."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one cluster's active gateway said of its connection to another, from a moment on."""

    time: float
    """``time.monotonic``."""
    cluster: str
    status: str
    """``connected``, ``connecting``, ``error``; empty while nothing is said."""
    peer: str = ""
    """The other cluster."""


class StatusWatch:
    """Watches the Gateways of clusters in threads of their own while the context is open; ``reports`` stay."""

    def __init__(self, lab: FurnishedLab, clusters: Iterable[str]) -> None:
        self.reports: list[Report] = []
        """In the order in which they were seen."""
        self.versions: list[Version] = []
        """Every version of every Gateway and Cluster, likewise."""
        self.began = time.monotonic()
        self._lab = lab
        self._said: dict[str, dict[str, Connection]] = {}
        self._clusters = tuple(clusters)
        self._latest: dict[tuple[str, str], str] = {}
        self._objects: dict[tuple[str, str], Object] = {}
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._apis = [lab.open_api(cluster) for cluster in self._clusters]
        self._others = [lab.open_api(cluster) for cluster in self._clusters]
        """A client belongs to one thread."""

    def __enter__(self) -> Self:
        """Begin to watch."""
        for api in self._apis:
            cluster = api.name

            def seen(moment: float, kind: str, obj: Object, cluster: str = cluster) -> None:
                self._seen(cluster, moment, kind, obj)

            self._threads.append(follow(api, f"{GROUP}/gateways", seen, self._stop))
        for api in self._others:
            cluster = api.name

            def keep(moment: float, kind: str, obj: Object, cluster: str = cluster) -> None:
                if kind != "DELETED":
                    self.versions.append(Version(moment, cluster, obj))

            self._threads.append(follow(api, f"{GROUP}/clusters", keep, self._stop))
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop watching."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for api in (*self._apis, *self._others):
            api.close()

    @property
    def stopped(self) -> threading.Event:
        """Set when the watch has ended; others may pace themselves by waiting for it."""
        return self._stop

    def status(self, cluster: str, peer: str) -> str:
        """Return what a cluster says of another now; empty if nothing."""
        return self._latest.get((cluster, peer), "")

    def reported(self, cluster: str, peer: str) -> int:
        """Return the Unix seconds of the last report in which a cluster spoke of another; 0 if it does not."""
        said = self._said.get(cluster, {}).get(peer)
        return said.reported if said is not None else 0

    def says_connected(self, *pairs: tuple[str, str]) -> bool:
        """Whether every first of these says that it is connected to its second."""
        return all(self.status(*pair) == CONNECTED for pair in pairs)

    def interruptions(self, *clusters: str) -> list[str]:
        """Return a line for every time at which one of these did not say that it is connected to another of them.

        All pairs count from the beginning of the watch: one that never was connected is interrupted as well.
        """
        pairs = list(itertools.permutations(clusters, 2))
        silent = [f"{cluster} never spoke of {peer}" for cluster, peer in pairs if not self._spoke(cluster, peer)]
        return silent + [
            f"{report.cluster} said {report.status or 'nothing'} of {report.peer} {report.time - self.began:.1f} s in"
            for report in self.reports
            if (report.cluster, report.peer) in pairs and report.status != CONNECTED
        ]

    def claim_ends(self, cluster: str, peer: str, fresh: float) -> float:
        """Return when (``time.monotonic``) a claim to be connected ends or has ended.

        That is when another status was reported, and else ``fresh`` seconds after the gateway's last report: by
        then readers take it for stale.
        """
        said = self._said.get(cluster, {}).get(peer)
        if said is not None and said.status == CONNECTED:
            return said.reported + fresh - time.time() + time.monotonic()
        return max(
            (report.time for report in self.reports if (report.cluster, report.peer) == (cluster, peer)),
            default=self.began,
        )

    def _spoke(self, cluster: str, peer: str) -> bool:
        return any((report.cluster, report.peer) == (cluster, peer) for report in self.reports)

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for ``done()``, looked at with every change and besides, at most so long; return what it was last."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not done() and time.monotonic() < deadline:
                self._changed.wait(min(_LOOK, deadline - time.monotonic()))
            return done()

    def _seen(self, cluster: str, moment: float, kind: str, obj: Object) -> None:
        """Record what the Gateway objects of a cluster say of each peer, where that differs from before."""
        with self._changed:
            key = (cluster, obj["metadata"]["name"])
            if kind == "DELETED":
                self._objects.pop(key, None)
            else:
                self._objects[key] = obj
                self.versions.append(Version(moment, cluster, obj))
            said = self._said[cluster] = latest_connections(
                [one for (owner, _), one in self._objects.items() if owner == cluster]
            )
            peers = {peer for owner, peer in self._latest if owner == cluster} | said.keys()
            for peer in sorted(peers):
                status = said[peer].status if peer in said else ""
                if status != self._latest.get((cluster, peer), ""):
                    self._latest[cluster, peer] = status
                    self.reports.append(Report(moment, cluster, status, peer))
                    self._lab.run.note(f"status in {cluster}: {peer} {status or 'not mentioned'}")
            self._changed.notify_all()
