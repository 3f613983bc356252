"""A hook script written on the spot, and a cluster set that exists in memory only."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import pytest

from l3conf.adapter import HookCall, HookRequest, HookRunner
from l3conf.labs.base import ClusterAccess
from l3conf.model.implementation import Implementation, Verb
from l3conf.model.topology import ClusterSpec, NodeSpec, Topology

if TYPE_CHECKING:
    from l3conf.labs.base import Lab


@dataclass(frozen=True, slots=True)
class PaperLab:
    """The part of a lab that a request reads."""

    topology: Topology
    clusters: dict[str, ClusterAccess]
    broker: ClusterAccess


class MakeRunner(Protocol):
    def __call__(self, script: str, *, timeout: float = 5.0) -> HookRunner: ...


@pytest.fixture
def request_(tmp_path: Path) -> HookRequest:
    kubeconfig = tmp_path / "broker.kubeconfig"
    kubeconfig.write_text("clusters: [{cluster: {certificate-authority-data: Q0E=}}]", encoding="utf-8")
    east = ClusterSpec(
        name="east",
        pod_cidrs=(IPv4Network("10.1.0.0/16"),),
        service_cidrs=(IPv4Network("10.101.0.0/16"),),
        node_cidrs=(IPv4Network("172.16.1.0/24"),),
        nodes=(NodeSpec(name="east-1", gateway=True), NodeSpec(name="east-2")),
    )
    lab = PaperLab(
        topology=Topology(name="paper", clusters=(east,)),
        clusters={"east": ClusterAccess(name="east", kubeconfig=Path("/secret/east.kubeconfig"))},
        broker=ClusterAccess(name="broker", kubeconfig=kubeconfig, member_server="https://192.0.2.2:6443"),
    )
    return HookRequest(lab=cast("Lab", lab), work_directory=tmp_path / "work", cluster="east")


@pytest.fixture
def calls() -> list[HookCall]:
    return []


@pytest.fixture
def make_runner(tmp_path: Path, calls: list[HookCall]) -> MakeRunner:
    def make(script: str, *, timeout: float = 5.0) -> HookRunner:
        (tmp_path / "hooks.sh").write_text(script, encoding="utf-8")
        implementation = Implementation(
            name="scripted",
            version="0",
            path=tmp_path / "impl.yaml",
            command=("sh", "{directory}/hooks.sh"),
            verbs=frozenset({Verb.DEPLOY, Verb.JOIN, Verb.LEAVE, Verb.REMOVE}),
            hook_timeout=timeout,
            hook_env={"COLOUR": "blue"},
        )
        return HookRunner(implementation, log_directory=tmp_path / "logs", record=calls.append, grace=0.2)

    return make
