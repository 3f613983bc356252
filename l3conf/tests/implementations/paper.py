"""Submariner's hooks on a cluster set that exists on paper, with a stand-in for the programs that they call."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from l3conf.adapter import HookRequest, HookResult, HookRunner
from l3conf.labs.base import ClusterAccess
from l3conf.model.topology import ClusterSpec, NodeSpec, Topology
from l3conf.spec.files import load_implementation
from l3conf.tests.implementations import stub_subctl

if TYPE_CHECKING:
    from l3conf.labs.base import Lab
    from l3conf.model.implementation import Verb

FOLDER = Path(__file__).parents[2] / "implementations" / "submariner"
CONTRACT = FOLDER / "subctl.yaml"


@dataclass(frozen=True, slots=True)
class PaperLab:
    """The part of a lab that a request reads."""

    topology: Topology
    clusters: dict[str, ClusterAccess]
    broker: ClusterAccess


@dataclass(slots=True)
class Stage:
    """Hooks on a cluster set that exists on paper, and what they called."""

    runner: HookRunner
    request: HookRequest
    state: Path

    def run(self, verb: Verb, cluster: str = "", posing: str = "", version: str = "") -> dict[str, Any]:
        answer = self.runner.run(verb, replace(self.request, cluster=cluster, posing=posing, version=version))
        assert isinstance(answer, HookResult)
        return dict(answer.output)

    def with_environment(self, **variables: str) -> Stage:
        implementation = self.runner.implementation
        changed = replace(implementation, hook_env={**implementation.hook_env, **variables})
        return replace(self, runner=HookRunner(changed, log_directory=self.state / "logs", grace=0.2))

    def calls(self, program: str = "subctl") -> list[list[str]]:
        lines = (self.state / "calls").read_text(encoding="utf-8").splitlines()
        return [call[1:] for call in map(json.loads, lines) if call[0] == program and call[1:] != ["version"]]

    def trouble(self, **what: str) -> None:
        (self.state / "trouble").write_text(json.dumps(what), encoding="utf-8")


def cluster(name: str, number: int, *, pods: str = "", global_cidrs: tuple[str, ...] | None = None) -> ClusterSpec:
    return ClusterSpec(
        name=name,
        pod_cidrs=(ip_network(pods or f"10.{number}.0.0/16"),),
        service_cidrs=(ip_network(f"10.{100 + number}.0.0/16"),),
        node_cidrs=(ip_network(f"172.16.{number}.0/24"),),
        nodes=(NodeSpec(name=f"{name}-1", gateway=True), NodeSpec(name=f"{name}-2")),
        global_cidrs=None if global_cidrs is None else tuple(map(ip_network, global_cidrs)),
    )


def stage(tmp_path: Path, *clusters: ClusterSpec) -> Stage:
    state = tmp_path / "state"
    state.mkdir()
    contract = state / "contract.json"
    contract.write_text(json.dumps(yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))), encoding="utf-8")
    programs = {}
    for program in ("subctl", "kubectl"):
        file = tmp_path / program
        words = (sys.executable, "-IS", stub_subctl.__file__, str(contract), str(state), program)
        file.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', encoding="utf-8")
        file.chmod(0o755)
        programs[f"SUBMARINER_{program.upper()}"] = str(file)
    broker = tmp_path / "broker.kubeconfig"
    broker.write_text("clusters: [{cluster: {certificate-authority-data: Q0E=}}]", encoding="utf-8")
    lab = PaperLab(
        topology=Topology(name="paper", clusters=clusters),
        clusters={
            spec.name: ClusterAccess(name=spec.name, kubeconfig=tmp_path / f"{spec.name}.kubeconfig")
            for spec in clusters
        },
        broker=ClusterAccess(name="broker", kubeconfig=broker, member_server="https://192.0.2.2:6443"),
    )
    implementation = load_implementation(FOLDER / "impl.yaml")
    environment = {**implementation.hook_env, **programs}
    runner = HookRunner(replace(implementation, hook_env=environment), log_directory=tmp_path / "logs", grace=0.2)
    request = HookRequest(
        lab=cast("Lab", lab), work_directory=tmp_path / "work", cable_drivers=implementation.cable_drivers
    )
    return Stage(runner, request, state)
