"""``l3conf bench churn``: a cluster is added to a set of ten, leaves, is added again, and vanishes for ever.

Each of the ten sends a numbered flow of 100 Hz to the next all the while. How soon nothing of the cluster is left is
told by the begin of the first look at all APIs and nodes that found nothing, from the end of the hook or from the first
moment of silence; rules and routes that reject packets do not count.

Before that, one of the ten gets a second node, which its flows go over from then on, and a third one comes and goes.
What is measured is how soon after it is Ready a pod on it and one of each other cluster reach each other, and how soon
after it has gone the other nodes of its cluster name it no more.
"""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l3conf.bench.members import MemberSet, flow
from l3conf.bench.node_trial import NodeTrial
from l3conf.bench.topology import TWELVE_CLUSTERS
from l3conf.continuity import continuity
from l3conf.errors import LabError
from l3conf.plugin import residue
from l3conf.plugin.exchange import still_known
from l3conf.plugin.gateways import connections
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.bench.members import Member
    from l3conf.model.implementation import Implementation
    from l3conf.model.topology import ClusterSpec

MEMBERS = 10
"""Members of the set that another one joins and leaves."""
CONTROL = 1.0
"""Seconds of flow before and after a change."""
GONE = 10.0
"""Seconds in which nothing must be left of a cluster that left."""
READY = 2.0
"""Seconds after a new node is Ready in which its pods must have reached all others, and they these."""
HEARTBEAT = 6.0
"""Seconds after which a member that is silent counts as such, for the bar of one that vanishes."""
PATIENCE = 120.0
GROUP = "/apis/submariner.io/v1"


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def churn(impl: Path, *, as_json: bool) -> None:
    """Measure a cluster that joins a set of ten, leaves it, and vanishes from it, and a node that comes and goes."""
    answer = _measure(load_implementation(impl))
    if as_json:
        click.echo(json.dumps(answer))
        return
    for change in ("added", "left", "vanished", "node_added", "node_removed"):
        one = answer[change]
        what, bar = change.replace("_", " "), one["bar"] or "none"
        lost = f"others lost {one['others_lost']} of {one['others_sent']}"
        click.echo(f"{what}: {one['seconds']} s (bar {bar}), {lost}")


def _measure(implementation: Implementation) -> dict[str, Any]:
    twelve = load_topology(TWELVE_CLUSTERS)
    topology = dataclasses.replace(twelve, clusters=twelve.clusters[: MEMBERS + 1])
    *ten, other = topology.clusters
    with MemberSet(implementation, topology) as members:
        trial = _Trial(members, tuple(ten), other)
        members.deploy()
        before = {spec.name: trial.named_on(spec) for spec in ten}
        for spec in ten:
            members.join(spec.name)
        members.await_packets(permutations(trial.pods.values(), 2))
        nodes = trial.nodes()
        added = trial.change(trial.add, 0.0)
        left = trial.change(lambda: trial.until_gone(before, trial.leave, broker=True), GONE)
        trial.add()
        vanished = trial.change(lambda: trial.vanish(before), HEARTBEAT + GONE)
    return {
        "benchmark": "churn",
        "implementation": implementation.name,
        "added": added,
        "left": left,
        "vanished": vanished,
        **nodes,
    }


@dataclasses.dataclass
class _Trial:
    """One cluster that comes and goes, and ten that stay."""

    members: MemberSet
    ten: tuple[ClusterSpec, ...]
    other: ClusterSpec
    pods: dict[str, Member] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.pods = {spec.name: self.members.pods(spec.name)[0] for spec in self.ten}

    def change(self, act: Callable[[], float], bar: float) -> dict[str, Any]:
        """Do something while flows run among the ten; ``bar`` in seconds, 0 if there is none."""
        ring = list(self.pods.values())
        flows = [flow(one, following) for one, following in zip(ring, [*ring[1:], ring[0]], strict=True)]
        with self.members.lab.flows(flows) as read:
            time.sleep(CONTROL)
            if any(continuity(record).arrived == 0 for record in read()):
                raise LabError("a flow does not arrive before anything changes", where="bench churn")
            seconds = act()
            time.sleep(CONTROL)
            read.stop()
            time.sleep(CONTROL)
            judged = [continuity(record) for record in read()]
        lost = sum(one.lost for one in judged)
        return {
            "seconds": round(seconds, 2),
            "bar": bar,
            "others_sent": sum(one.sent for one in judged),
            "others_lost": lost,
            "holds": lost == 0 and (not bar or seconds <= bar),
        }

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Give the first of the ten a second node for the flows, and have a third one come and go."""
        first, *others = self.ten
        trial = NodeTrial(self.members, first.name)
        gateway = self.pods[first.name]
        remote = [self.pods[spec.name] for spec in others]
        try:
            self.pods[first.name] = trial.add(remote)[1]
            added = self.change(lambda: trial.add(remote)[0], READY)
            removed = self.change(trial.remove, 0.0)
        finally:
            self.pods[first.name] = gateway
            trial.close()
        return {"node_added": added, "node_removed": removed}

    def add(self) -> float:
        """Let the other join; return the seconds until packets cross between it and each of the ten."""
        began = time.monotonic()
        self.members.join(self.other.name)
        new = self.members.pods(self.other.name)[0]
        self.members.await_packets(pair for pod in self.pods.values() for pair in ((pod, new), (new, pod)))
        return time.monotonic() - began

    def leave(self) -> None:
        """Let the other leave, as its operator does."""
        self.members.leave(self.other.name)

    def vanish(self, before: Mapping[str, frozenset[str]]) -> float:
        """Silence the other towards everybody for ever; return the seconds until nothing of it is left at the ten."""
        with ExitStack() as cuts:

            def silence() -> None:
                for site in (*(spec.name for spec in self.ten), "broker"):
                    cuts.enter_context(self.members.lab.cut(self.other.name, site))
                    cuts.enter_context(self.members.lab.cut(site, self.other.name))

            return self.until_gone(before, silence, broker=False)

    def until_gone(self, before: Mapping[str, frozenset[str]], act: Callable[[], None], *, broker: bool) -> float:
        """Do something; return the seconds from its end until nothing of the other is left. ``LabError`` if never."""
        if not self._left(before, broker=broker):
            raise LabError("nothing was known of the cluster before it went", where="bench churn")
        act()
        began = time.monotonic()
        while True:
            looked = time.monotonic()
            left = self._left(before, broker=broker)
            if not left:
                return looked - began
            if looked - began > PATIENCE:
                raise LabError(f"after {PATIENCE:g} s there is left: {left[0]}", where="bench churn")

    def _left(self, before: Mapping[str, frozenset[str]], *, broker: bool) -> list[str]:
        """Return what the APIs hold of the other; only where that is nothing, what nodes name."""
        apis = [self.members.apis[spec.name] for spec in self.ten] + [self.members.broker] * broker
        for api in apis:
            kept = {kind: api.items(f"{GROUP}/{kind}") for kind in ("clusters", "endpoints")}
            found = still_known(api.name, self.other.name, **kept)
            told = connections(api.items(f"{GROUP}/gateways"))
            found += [f"{api.name} still reports {entry}" for entry in told if entry.peer == self.other.name]
            if found:
                return found
        return [line for spec in self.ten for line in sorted(self.named_on(spec) - before[spec.name])]

    def named_on(self, spec: ClusterSpec) -> frozenset[str]:
        """Return what the nodes of a cluster name of the other's ranges."""
        ranges = (*self.other.pod_cidrs, *self.other.service_cidrs, *self.other.node_cidrs)
        states = [self.members.lab.node_state(spec.name, node.name) for node in spec.nodes]
        return frozenset(line for state in states for line in residue.naming(state, ranges))
