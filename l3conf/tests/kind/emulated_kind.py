"""Emulated clusters as what a stub kind hands out, on a stub engine."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.adapter.images import resolved_images, visible_directories
from l3conf.errors import L3confError, LabError
from l3conf.labs.emulated import EmulatedLab
from l3conf.labs.existing.objects import micro_time
from l3conf.model.implementation import EmulatedImage
from l3conf.model.topology import NodeSpec
from l3conf.plugin.cluster_api import MERGE_PATCH, ClusterAPI
from l3conf.probes import messages
from l3conf.probes.control import error_to_json
from l3conf.spec.files import load_implementation
from l3conf.tests.kind.stub_values import frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from l3conf.labs.kind.naming import Names
    from l3conf.model.topology import ClusterSpec, Topology
    from l3conf.tests.kind.stub_engine import StubEngine
    from l3conf.tests.kind.stub_values import Command

ROOT = Path(__file__).parents[3]
IMPLEMENTATION = ROOT / "reference_impl" / "impl.yaml"
RUN = 300.0
"""Seconds for one run of the program; far beyond what it takes on a busy machine."""
_BEAT = 2.0
CUT = re.compile(r"table inet (l3conf-fault\d+).*ether saddr (\S+) drop", re.DOTALL)


@dataclass(slots=True)
class Clusters:
    """Emulated clusters behind a stub engine and a stub kind."""

    engine: StubEngine
    lab: EmulatedLab
    names: Names
    home: Path
    env: dict[str, str]
    _cuts: dict[str, ExitStack] = field(default_factory=dict)

    def answer(self, command: Command) -> tuple[int, str, str] | None:
        """Do in the emulated lab what a command does in a router or node."""
        if command.container == f"{self.names.outsider}-probe" and command.stream is not None:
            self._relay(command.stream)
            return None
        if begun := CUT.search(command.script):
            source = next(site for site in self.names.sites if self._mac(site) == begun[2])
            destination = next(site for site in self.names.sites if self.names.router(site) == command.container)
            stack = self._cuts[begun[1]] = ExitStack()
            stack.enter_context(self.lab.cut(source, destination))
        if command.script.startswith("nft delete table inet l3conf-fault"):
            self._cuts.pop(command.script.split()[-1]).close()
        if command.argv[0] == "ip":
            cluster = next(site for site in self.names.sites if command.container.startswith(self.names.cluster(site)))
            return self.lab.run(f"{cluster}@{command.container}", command.argv, timeout=10)
        return 0, "", ""

    def _relay(self, stream: socket.socket) -> None:
        """Be the outsider's probe server: the emulated lab's own does the work."""
        for line in stream.makefile("rb"):
            request = json.loads(line)
            try:
                reply = {"result": self._perform(request)}
            except L3confError as error:
                reply = {"error": error_to_json(error)}
            stream.sendall(frame(1, json.dumps({"id": request["id"], **reply}).encode() + b"\n"))

    def _perform(self, request: dict[str, Any]) -> object:
        match request["do"]:
            case "hello":
                return {"pid": 1, "time": time.monotonic()}
            case "run":
                return [
                    messages.observation_to_json(each)
                    for each in self.lab.probe([messages.probe_from_json(probe) for probe in request["probes"]])
                ]
            case "sightings":
                return [messages.sighting_to_json(each) for each in self.lab.sightings("@outsider", request["nonces"])]
            case "raw":
                self.lab.inject("@outsider", [base64.b64decode(request["packet"])])
                return None
            case unknown:
                raise LabError(f"the stub's outsider cannot {unknown}")

    def _mac(self, site: str) -> str:
        return str(self.engine.containers[self.names.router(site)].networks[self.names.wan]["MacAddress"])

    def command(self, *words: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "l3conf.cli.main",
            *words,
            "--on",
            "kind",
            "--impl",
            str(IMPLEMENTATION),
            "--brief",
        ]

    def run(self, *rows: str, more: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        # A busy machine misses deadlines that are the implementation's; what is tested here is the ground.
        words = self.command("run", *rows, "--topology", "two-clusters", "--stretch", "5", *more)
        return subprocess.run(words, capture_output=True, text=True, timeout=RUN, cwd=ROOT, env=self.env, check=False)

    def namespaces(self) -> set[str]:
        found = set()
        for name, access in self.lab.clusters.items():
            with closing(ClusterAPI(name, access.kubeconfig, timeout=10)) as api:
                found |= {f"{name}/{obj['metadata']['name']}" for obj in api.items("/api/v1/namespaces")}
        return found


def as_kind_names_it(cluster: ClusterSpec, names: Names) -> ClusterSpec:
    """Return a cluster with kind's nodes: those of the file, and a control plane."""
    nodes = [replace(node, name=names.node(cluster.name, place)) for place, node in enumerate(cluster.nodes)]
    return replace(cluster, nodes=(*nodes, NodeSpec(name=f"{names.cluster(cluster.name)}-control-plane")))


@contextmanager
def broker_node(lab: EmulatedLab, names: Names) -> Iterator[None]:
    """Have the broker's API say what kind's would: its one node, with its address on the WAN, and alive."""
    name = f"{names.broker}-control-plane"
    status = {
        "addresses": [{"type": "InternalIP", "address": "192.0.2.2"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    over = threading.Event()
    with closing(ClusterAPI("broker", lab.broker.kubeconfig, timeout=10)) as api:

        def renew() -> None:
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": "kube-node-lease"},
                "spec": {"holderIdentity": name, "renewTime": micro_time(dt.datetime.now(dt.UTC))},
            }
            api.apply(lease)

        def beat() -> None:
            while not over.wait(_BEAT):
                renew()

        renew()
        assert api.request(
            "POST", "/api/v1/nodes", body={"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        ).ok
        path = f"/api/v1/nodes/{name}/status"
        assert api.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH).ok
        beating = threading.Thread(target=beat, name="heart of the broker's node", daemon=True)
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()


def emulated(of: Topology, names: Names) -> EmulatedLab:
    implementation = load_implementation(IMPLEMENTATION)
    agent = EmulatedImage(
        name="l3conf/probe:*",
        command=(sys.executable, "-m", "l3conf.probes.agent", "serve"),
        env={"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"},
    )
    made = replace(of, clusters=tuple(as_kind_names_it(cluster, names) for cluster in of.clusters))
    images = (agent, *resolved_images(implementation))
    return EmulatedLab.start(made, images=images, visible=visible_directories(implementation), serves_on_nodes=False)
