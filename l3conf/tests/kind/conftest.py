"""A stub engine, a stub kind and stub APIs, and a ground on them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.labs.kind.claim import owner
from l3conf.labs.kind.commands import Kind
from l3conf.labs.kind.engine import Engine
from l3conf.labs.kind.ground import Ground
from l3conf.labs.kind.naming import names_of
from l3conf.labs.kind.settings import KindSettings
from l3conf.model.few_nodes import with_few_nodes
from l3conf.spec.files import load_topology
from l3conf.tests.kind import stub_kind
from l3conf.tests.kind.faulty import faults_of, stood
from l3conf.tests.kind.stub_api import StubAPIs, serving_apis
from l3conf.tests.kind.stub_engine import StubEngine
from l3conf.tests.kind.stub_http import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.labs.kind.inflict import Faults
    from l3conf.labs.kind.naming import Names
    from l3conf.model.topology import Topology

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
PROBE = "ghcr.io/l3conf/probe:v1"
NODE = "kindest/node:v1.33.1"


def topology(name: str) -> Topology:
    return load_topology(TOPOLOGIES / f"{name}.yaml")


@dataclass(slots=True)
class Bench:
    """Everything that a ground stands on."""

    engine: StubEngine
    apis: StubAPIs
    home: Path
    """Of the stub kind."""
    program: str
    said: list[str] = field(default_factory=list)

    def names(self, of: Topology, settings: KindSettings) -> Names:
        return names_of(of, settings, owner())

    def ground(self, name: str = "two-clusters", settings: KindSettings | None = None) -> Ground:
        chosen, of = settings or KindSettings(), with_few_nodes(topology(name))
        names = self.names(of, chosen)
        folder = self.home / f"ground-{names.lab}"
        folder.mkdir(exist_ok=True)
        kubeconfigs = self.home / "kubeconfigs"
        for cluster in (names.broker, *(names.cluster(each.name) for each in of.clusters)):
            (kubeconfigs / cluster).write_text(self.apis.kubeconfig(cluster))
        return Ground(
            topology=of,
            settings=chosen,
            names=names,
            engine=Engine.connect(),
            kind=Kind(self.program),
            folder=folder,
            progress=self.said.append,
        )

    def tell(self, what: str, *lines: str) -> None:
        """Tell the stub kind to ``fail`` or ``hang`` at calls."""
        (self.home / what).write_text("\n".join(lines))

    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines() if (self.home / "calls").exists() else []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return a bench; ``docker`` and ``kind`` of this process are its own while the test runs."""
    home = tmp_path / "kind"
    home.mkdir()
    program = tmp_path / "bin" / "kind"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {stub_kind.__file__} "$@"\n')
    program.chmod(0o755)
    engine = StubEngine(images={PROBE, NODE})
    apis = StubAPIs(engine)
    with serving(engine, tmp_path / "docker.sock") as host, serving_apis(apis, home / "kubeconfigs"):
        monkeypatch.setenv("DOCKER_HOST", host)
        monkeypatch.setenv("STUB_KIND", str(home))
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        yield Bench(engine, apis, home, str(program))


@pytest.fixture
def ground(bench: Bench) -> Iterator[Ground]:
    """Return a ground with NATs that stands, on nodes that answer what faults ask."""
    built = stood(bench)
    yield built
    built.engine.close()


@pytest.fixture
def faults(ground: Ground) -> Faults:
    """Return the faults of that ground."""
    return faults_of(ground)
