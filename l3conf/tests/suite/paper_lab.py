"""A lab of members on paper over a fake ground, in which scenarios run as they are."""

from __future__ import annotations

import random
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from l3conf.expectations import Pod, Service
from l3conf.expectations.harness import Harness
from l3conf.expectations.places import NAMESPACE
from l3conf.labs.fake import FakeLab
from l3conf.model.faults import AgentsKilled
from l3conf.oracle import Site
from l3conf.plugin.inventory import Pods, find_nodes, find_outsider
from l3conf.plugin.lab import Lab
from l3conf.spec.budgets import Budgets
from l3conf.tests.suite.paper_globals import Lapse, PaperMember

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Network

    from l3conf.model.faults import Fault
    from l3conf.model.topology import ClusterSpec, Topology
    from l3conf.tests.suite.conftest import SlowMotion


class PaperGround(FakeLab):
    """A fake lab in which agents that are killed start again at once."""

    members: Mapping[str, PaperMember]

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        if isinstance(fault, AgentsKilled):
            self.members[fault.cluster].restart()
        with super().fault(fault):
            yield


def paper_lab(topology: Topology, pools: dict[str, IPv4Network], motion: SlowMotion, *lapses: Lapse) -> Lab:
    """Return a lab of such members, all of which have joined."""
    ground = PaperGround(topology, now=motion.now)
    apis = {
        spec.name: PaperMember(spec.name, spec, pools[spec.name], ground, set(lapses)) for spec in topology.clusters
    }
    ground.members = apis
    harness = Harness(
        lab=ground,
        budgets=Budgets.default(),
        random=random.Random(7),  # noqa: S311 - order of probes
        clock=motion.clock,
    )
    pods = Pods(
        tuple(
            _pod(ground, harness, spec, node.name, gateway=node.gateway)
            for spec in topology.clusters
            for node in spec.nodes
        )
    )
    services = {
        name: Service(cluster=name, name="probe", addresses=addresses, backends=pods.of(name))
        for name, addresses in ground.services.items()
    }
    members = SimpleNamespace(joined=[spec.name for spec in topology.clusters], joined_at=motion.now(), remove=None)
    return Lab(
        ground=cast("Any", ground),
        run=cast("Any", SimpleNamespace(note=lambda _line: None)),
        harness=harness,
        apis=cast("Any", apis),
        broker=cast("Any", next(iter(apis.values()))),
        pods=pods,
        services=services,
        nodes=find_nodes(topology, harness),
        outsider=find_outsider(harness),
        members=cast("Any", members),
    )


def _pod(ground: FakeLab, harness: Harness, spec: ClusterSpec, node: str, *, gateway: bool) -> Pod:
    addresses = ground.hosts[f"{spec.name}/{NAMESPACE}/probe-{node}"].addresses
    return Pod(
        site=Site(spec.name, node), name=f"probe-{node}", addresses=addresses, on_gateway=gateway, harness=harness
    )
