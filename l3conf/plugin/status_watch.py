"""What gateways say of their connections, as a timeline: every change, in every cluster that is watched."""

from __future__ import annotations

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
        self._lab = lab
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

    def says_connected(self, *pairs: tuple[str, str]) -> bool:
        """Whether every first of these says that it is connected to its second."""
        return all(self.status(*pair) == CONNECTED for pair in pairs)

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for ``done()``, looked at with every change, at most so long; return what it was in the end."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not done() and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
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
            said = latest_connections([one for (owner, _), one in self._objects.items() if owner == cluster])
            peers = {peer for owner, peer in self._latest if owner == cluster} | said.keys()
            for peer in sorted(peers):
                status = said[peer].status if peer in said else ""
                if status != self._latest.get((cluster, peer), ""):
                    self._latest[cluster, peer] = status
                    self.reports.append(Report(moment, cluster, status, peer))
                    self._lab.run.note(f"status in {cluster}: {peer} {status or 'not mentioned'}")
            self._changed.notify_all()
