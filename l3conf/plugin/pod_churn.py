"""Pods that come and go at a rate, with a Service over them, beside those that stay."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError
from l3conf.expectations.places import NAMESPACE, PORT
from l3conf.plugin.agents import AT_ONCE
from l3conf.probes.manifests import pod_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import ClusterAPI
    from l3conf.plugin.lab import Lab

RATE = 10.0
"""Pods that come, and as many that go, a second in all clusters together (L3-K10)."""
_ALIVE = 10
"""Pods of a cluster that are there at once: each lives for two seconds where two clusters take turns."""
_LATE = 1.5
"""How many times longer than planned a churn may take before it proves nothing."""
_LABELS = {"app": "l3conf-churn"}
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
_SERVICE = "l3conf-churn"


@dataclass(slots=True)
class _Crowd:
    """The pods of one cluster."""

    api: ClusterAPI
    cluster: str
    nodes: Iterator[str]
    names: Iterator[int] = field(default_factory=count)
    alive: deque[str] = field(default_factory=deque)
    ran: int = 0
    """How many of those that went had run."""

    def step(self) -> None:
        """Let one pod come, and one go if there are enough."""
        name = f"churn-{next(self.names)}"
        pod = pod_manifest(self.cluster, NAMESPACE, next(self.nodes), name, labels=_LABELS)
        answer = self.api.request("POST", _PODS, body=pod)
        if not answer.ok:
            raise LabError(f"pod {name} was refused ({answer.status}): {answer.message}", where=self.cluster)
        self.alive.append(name)
        if len(self.alive) > _ALIVE:
            self.leave()

    def leave(self) -> None:
        """Let the oldest pod go, and note whether it had run."""
        path = f"{_PODS}/{self.alive.popleft()}"
        with suppress(LookupError):
            self.ran += self.api.get(path).get("status", {}).get("phase") == "Running"
        self.api.request("DELETE", path, body=AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """What came and went."""

    planned: float
    """Seconds that it should have taken."""
    took: float
    came: int
    ran: int
    """How many were seen to run before they went."""

    def must_have_kept_pace(self) -> None:
        """Raise ``LabError`` if it was too slow, or too few pods ever ran, for "nothing was lost" to mean much.

        To be asked last: what was lost at a slower pace was lost all the same.
        """
        if self.took > _LATE * self.planned:
            what = f"{RATE:g} pods a second for {self.planned:g} s took {self.took:.1f} s"
            raise LabError(what, remedy="a quicker machine, or a quieter one")
        if self.ran < self.came / 2:
            raise LabError(
                f"only {self.ran} of {self.came} pods ever ran", remedy="a quicker machine, or a quieter one"
            )


def churn_pods(lab: Lab, window: str, *clusters: str) -> Churn:
    """Have ten pods a second come and go on all nodes of some clusters, for a window of the table."""
    seconds, clock = lab.harness.budgets.get(window), lab.harness.clock
    crowds = [
        _Crowd(lab.apis[name], name, cycle(node.name for node in lab.topology.cluster(name).nodes)) for name in clusters
    ]
    for crowd in crowds:
        crowd.api.request("POST", _SERVICES, body=_service())
    lab.run.note(f"{RATE:g} pods a second come and go in {', '.join(clusters)} for {window} = {seconds:g} s")
    began = clock.now()
    try:
        for step, crowd in zip(range(round(seconds * RATE)), cycle(crowds), strict=False):
            clock.sleep(max(0.0, began + step / RATE - clock.now()))
            crowd.step()
        took = clock.now() - began
    finally:
        for crowd in crowds:
            while crowd.alive:
                crowd.leave()
            crowd.api.request("DELETE", f"{_SERVICES}/{_SERVICE}")
    lab.run.note("the churn is over")
    came = sum(next(crowd.names) for crowd in crowds)
    return Churn(planned=seconds, took=took, came=came, ran=sum(crowd.ran for crowd in crowds))


def _service() -> dict[str, Any]:
    port = {"name": "udp", "port": PORT, "targetPort": PORT, "protocol": "UDP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _SERVICE, "namespace": NAMESPACE},
        "spec": {"selector": _LABELS, "ports": [port]},
    }
