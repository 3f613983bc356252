"""A fake cluster set with its places, on a clock that only waiting moves."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from l3conf.expectations import Outsider, Pod, Service
from l3conf.expectations.harness import Harness
from l3conf.labs.fake import FakeLab
from l3conf.oracle import Site
from l3conf.plugin.inventory import Pods, find_nodes, find_outsider
from l3conf.plugin.options import topology_file
from l3conf.spec.budgets import Budgets
from l3conf.spec.files import load_topology
from l3conf.wait import Clock, Waited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from l3conf.expectations import Node
    from l3conf.model.topology import IPAddress


@dataclass(slots=True)
class SlowMotion:
    """Time that passes while somebody sleeps, and never else."""

    time: float = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.sleep)


@dataclass(slots=True)
class Stage:
    """A fake lab and everything that a scenario would name in it."""

    lab: FakeLab
    harness: Harness
    pods: Pods
    services: dict[str, Service]
    nodes: tuple[Node, ...]
    outsider: Outsider
    motion: SlowMotion
    waited: list[Waited] = field(default_factory=list)


@pytest.fixture
def stage(pytestconfig: pytest.Config) -> Iterator[Stage]:
    topology = load_topology(topology_file("two-clusters", pytestconfig.rootpath))
    motion = SlowMotion()
    waited: list[Waited] = []
    with closing(FakeLab(topology, now=motion.now)) as lab:
        for cluster in topology.clusters:
            for node in cluster.nodes:
                lab.commands[("ip", "route", "get", str(_pod_address(lab, cluster.name, node.name)))] = (0, "via x", "")
        harness = Harness(
            lab=lab,
            budgets=Budgets.default(),
            record=waited.append,
            random=random.Random(7),  # noqa: S311 - order of probes
            clock=motion.clock,
        )
        pods = Pods(
            tuple(
                Pod(
                    site=Site(cluster.name, node.name),
                    name=f"probe-{node.name}",
                    addresses=(_pod_address(lab, cluster.name, node.name),),
                    on_gateway=node.gateway,
                    harness=harness,
                )
                for cluster in topology.clusters
                for node in cluster.nodes
            )
        )
        services = {
            name: Service(cluster=name, name="probe", addresses=addresses, backends=pods.of(name))
            for name, addresses in lab.services.items()
        }
        yield Stage(
            lab=lab,
            harness=harness,
            pods=pods,
            services=services,
            nodes=find_nodes(topology, harness),
            outsider=find_outsider(harness),
            motion=motion,
            waited=waited,
        )


def _pod_address(lab: FakeLab, cluster: str, node: str) -> IPAddress:
    return lab.hosts[f"{cluster}/l3conf-probes/probe-{node}"].addresses[0]


@pytest.fixture
def checkout(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath
