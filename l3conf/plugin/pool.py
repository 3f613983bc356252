"""The labs of one worker: each built once, in stages, and shared by all tests that need that stage.

Labs of one topology are told apart by what tests do to them (``collection.Use``). A stage that fails does so once, and
everyone who needs it gets the same reason at once.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.adapter import HookRunner
from l3conf.adapter.images import build_images, resolved_images, visible_directories
from l3conf.errors import LabError, LabIncapableError
from l3conf.expectations.harness import Harness
from l3conf.labs import CONFINED, LASTING, open_lab
from l3conf.model.few_nodes import with_few_nodes
from l3conf.plugin.cluster_api import GROUP, ClusterAPI
from l3conf.plugin.collection import Use, lab_name
from l3conf.plugin.gateways import status_lines
from l3conf.plugin.inventory import Pods, check_ranges, find_nodes, find_outsider, find_pods, find_service
from l3conf.plugin.lab import Lab
from l3conf.plugin.membership import Membership
from l3conf.plugin.node_annotations import write_annotations
from l3conf.plugin.options import topology_file
from l3conf.plugin.recorder import UNSUPPORTED
from l3conf.plugin.stages import Once
from l3conf.plugin.uninterrupted import uninterrupted
from l3conf.report.events import LabFacts
from l3conf.spec.files import load_topology
from l3conf.wait import DeadlineMissedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.labs.base import Lab as Ground
    from l3conf.model.implementation import Implementation
    from l3conf.plugin.run import Run

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class Stages:
    """How far one lab has been brought; each stage includes the ones before."""

    bare: Once[Lab]
    """Clusters, probe workload, and a snapshot of what is there before the implementation."""
    installed: Once[Lab]
    """``deploy`` and ``join`` have ended; nothing is known of connections."""


class LabPool:
    """Labs by name, opened on demand."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._labs: dict[str, Stages] = {}
        self._grounds: dict[str, Ground] = {}
        self._built = Once(self._build)

    def bare(self, topology: str, use: Use) -> Lab:
        """Return a lab in which nothing of the implementation is installed, if it is used first."""
        return self._stages(topology, use).bare()

    def installed(self, topology: str, use: Use) -> Lab:
        """Return a lab whose clusters have been joined by the hooks."""
        return self._stages(topology, use).installed()

    def connected(self, topology: str, use: Use) -> Lab:
        """Return a lab in which packets were seen to cross; ``AssertionError`` if they never did."""
        lab = self.installed(topology, use)
        lab.connected()
        for what in self._run.patient.get(lab_name(topology, use), ()):
            lab.begin(what)
        return lab

    def opened(self) -> list[Lab]:
        """Return the labs that stand, for evidence."""
        return [stages.bare() for stages in self._labs.values() if stages.bare.succeeded]

    def retire(self, name: str) -> None:
        """End a lab that no test will ask for again, so that its agents no longer take others' time; no error if none.

        ``name``: as ``lab_name`` gives it.
        """
        stages, ground = self._labs.pop(name, None), self._grounds.pop(name, None)
        if ground is not None and ground.kind in LASTING:
            with uninterrupted(f"taking away what the lab {name} has made"):
                _end(stages, ground)
        else:
            _end(stages, ground)

    def close(self) -> None:
        """End all labs. The first error is raised after all of them were tried."""
        errors: list[Exception] = []
        for name in [*self._labs]:
            try:
                self.retire(name)
            except Exception as error:  # noqa: BLE001 - the other labs must end all the same
                errors.append(error)
        if errors:
            raise errors[0]

    def _stages(self, topology: str, use: Use) -> Stages:
        name = lab_name(topology, use)
        if name not in self._labs:
            bare = Once(lambda: self._open(name, topology, use))
            self._labs[name] = Stages(bare, Once(lambda: _install(bare())))
        return self._labs[name]

    def _build(self) -> None:
        self._run.note("building images of earlier versions")
        build_images(self._run.implementation, self._run.hook_logs("build"))

    def _open(self, name: str, topology_name: str, use: Use) -> Lab:
        implementation, earlier = self._run.implementation, use is Use.EARLIER
        starts_at = _version_before(implementation) if earlier else ""
        if earlier and self._run.options.lab_kind in LASTING:
            raise LabIncapableError(f"the {self._run.options.lab_kind} lab cannot begin at an earlier version")
        if earlier:
            self._built()
        topology = load_topology(topology_file(topology_name, self._run.root))
        if self._run.options.brief:
            topology = with_few_nodes(topology)
        began = time.monotonic()
        if self._run.options.lab_kind in LASTING:
            for other in [*self._grounds]:
                self.retire(other)
        ground = open_lab(
            self._run.options.lab_kind,
            topology,
            images=resolved_images(implementation, earlier=earlier),
            visible=visible_directories(implementation, earlier=earlier),
            existing=self._run.options.existing,
            of_kind=self._run.options.of_kind,
            patience=self._run.options.budgets.patience,
            progress=lambda stage: self._run.note(f"lab {name}: {stage}"),
        )
        self._grounds[name] = ground
        self._run.emit(LabFacts(topology=topology.name, facts=ground.describe(), seconds=time.monotonic() - began))
        harness = Harness(
            lab=ground,
            budgets=self._run.options.budgets,
            record=self._run.waited,
            random=self._run.random(name),
            note=self._run.note,
            noted=lambda: [(moment.time, moment.text) for moment in self._run.timeline],
            keep=self._run.keep,
        )
        lab = self._furnish(name, ground, harness, starts_at)
        self._run.note(f"lab {name}: bare after {time.monotonic() - began:.2f} s")
        return lab

    def _furnish(self, name: str, ground: Ground, harness: Harness, starts_at: str) -> Lab:
        """Install the probe workload and find all places; ``LabError`` if it does not get ready."""
        topology, seconds = ground.topology, harness.budgets.get("T_api")
        rules: Any = {"timeout": seconds, "namespace": ground.namespace, "confined": ground.kind in CONFINED}
        apis = {cluster: ClusterAPI(cluster, access.kubeconfig, **rules) for cluster, access in ground.clusters.items()}
        harness.status = lambda cluster: status_lines(cluster, apis[cluster].items(f"{GROUP}/gateways"))
        write_annotations(topology, apis)
        pods = _install_probes(ground, apis, harness)
        hooks = HookRunner(
            self._run.implementation,
            log_directory=self._run.hook_logs(name),
            record=self._run.hook_called,
            grace=harness.budgets.get("T_hook_grace"),
        )
        return Lab(
            ground=ground,
            run=self._run,
            harness=harness,
            apis=apis,
            broker=ClusterAPI("broker", ground.broker.kubeconfig, **rules),
            pods=pods,
            services={cluster: find_service(api, cluster, pods.of(cluster)) for cluster, api in apis.items()},
            nodes=find_nodes(topology, harness),
            outsider=find_outsider(harness),
            members=Membership(ground, hooks, harness.budgets, self._run.scratch / "work" / name, starts_at=starts_at),
        )


def _end(stages: Stages | None, ground: Ground | None) -> None:
    try:
        if stages is not None and stages.bare.succeeded:
            lab = stages.bare()
            if lab.ground.kind in LASTING:
                lab.members.take_out()
            lab.close()
    finally:
        if ground is not None:
            ground.close()


def _version_before(implementation: Implementation) -> str:
    """Return the version before the one under test; a test that begins there is unsupported where there is none."""
    if not implementation.previous_versions:
        pytest.skip(f"{UNSUPPORTED}{implementation.path.name} names no previousVersions")
    return implementation.previous_versions[0]


def crd_digests(lab: Lab) -> dict[str, str]:
    """Return a SHA-256 of every CRD's specification that the clusters serve, by name."""
    return {
        f"crd/{crd['metadata']['name']}": hashlib.sha256(json.dumps(crd["spec"], sort_keys=True).encode()).hexdigest()
        for api in lab.apis.values()
        for crd in api.items(_CRDS)
    }


def _install(lab: Lab) -> Lab:
    lab.members.install(lab.run.random("canary"))
    lab.run.emit(LabFacts(topology=lab.topology.name, facts=crd_digests(lab), seconds=0.0))
    return lab


def _install_probes(ground: Ground, apis: Mapping[str, ClusterAPI], harness: Harness) -> Pods:
    topology = ground.topology
    for cluster in topology.clusters:
        for obj in ground.workload(cluster.name):
            apis[cluster.name].apply(obj)
    try:
        found = {
            cluster: harness.wait(
                f"probe pods of {cluster.name} are ready",
                lambda cluster=cluster: find_pods(apis[cluster.name], cluster, harness),  # type: ignore[misc]
                "T_workload",
            )
            for cluster in topology.clusters
        }
    except DeadlineMissedError as missed:
        raise LabError(f"the probe workload does not get ready: {missed}", where=topology.name) from None
    for cluster, pods in found.items():
        check_ranges(cluster, pods)
    return Pods(tuple(pod for pods in found.values() for pod in pods))
