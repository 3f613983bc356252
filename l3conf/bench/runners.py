"""Runs of the fabric, of its rivals and of the whole lab, each in a process and namespaces of its own.

Nothing needs root and nothing is left behind: the first process in a new pid namespace takes all with it.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from l3conf.bench.fabric_run import graph_of, topology
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.plugin.cluster_api import ClusterAPI

TIMEOUT = 120.0
"""Seconds that one run may take."""
POLL = 0.01
"""Seconds between two looks at a starting lab."""

SYSTEM_PYTHON = "/usr/bin/python3"
_HERE = Path(__file__).parent
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
_ISOLATED = (
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)


class UnavailableError(Exception):
    """This machine cannot make the run; the text says why."""


def run_fabric(clusters: int, nodes: int, pods: int) -> dict[str, float]:
    """Build a fabric with ``pods`` on every node: ``build_ms``, ``teardown_ms``."""
    size = [str(number) for number in (clusters, nodes, pods)]
    return _isolated([sys.executable, "-m", "l3conf.bench.fabric_run", *size])


@dataclass(frozen=True, slots=True)
class KernelLimit:
    """The C baseline, compiled."""

    program: Path

    @classmethod
    def compile(cls, directory: Path) -> KernelLimit:
        """Compile it into ``directory``; ``UnavailableError`` without a C compiler."""
        compiler = shutil.which("gcc", path=_PATH) or shutil.which("cc", path=_PATH)
        if compiler is None:
            raise UnavailableError("no C compiler is installed (package gcc)")
        program = directory / "kernel_limit"
        argv = [compiler, "-O2", "-o", str(program), str(_HERE / "kernel_limit.c")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        if done.returncode:
            raise UnavailableError(f"{compiler} cannot compile it: {_last_line(done.stderr)}")
        return cls(program)

    def run(self, clusters: int, nodes: int, pods: int) -> dict[str, float]:
        """Make the same graph as ``run_fabric``: ``milliseconds``."""
        count, cables = graph_of(topology(clusters, nodes), pods)
        return _isolated([str(self.program), str(count), *(f"{hub}:{leaf}" for hub, leaf in cables)])


@functools.cache
def _require_mininet() -> None:
    """Raise ``UnavailableError`` unless the system's Python has Mininet and there is a bridge tool for it."""
    if shutil.which("brctl", path=_PATH) is None:
        raise UnavailableError("brctl is not installed (package bridge-utils)")
    probe = [SYSTEM_PYTHON, "-c", "import mininet.net"]
    try:
        subprocess.run(probe, check=True, capture_output=True, timeout=TIMEOUT)
    except (OSError, subprocess.CalledProcessError):
        raise UnavailableError(f"{SYSTEM_PYTHON} has no Mininet (package mininet)") from None


def run_mininet(hosts: int) -> dict[str, float]:
    """Build and start a Mininet of one bridge: ``build_ms``. ``UnavailableError`` where it is not installed."""
    _require_mininet()
    return _isolated([SYSTEM_PYTHON, str(_HERE / "mininet_run.py"), str(hosts)])


def run_lab(clusters: int, nodes: int, pods: int, directory: Path) -> dict[str, float]:
    """Bring a lab up by its command and end it: ``ready_s`` until all pods run, ``teardown_ms`` of the ending call."""
    from l3conf.emulator.ground.launch import end_lab  # noqa: PLC0415 - only this run needs the whole lab
    from l3conf.emulator.ground.state import find_lab  # noqa: PLC0415
    from l3conf.plugin.cluster_api import ClusterAPI  # noqa: PLC0415

    file = directory / "bench.yaml"
    file.write_text(_topology_file(clusters, nodes, pods))
    program = "from l3conf.cli.main import main; main()"
    name = f"bench-{os.getpid()}"
    argv = [sys.executable, "-c", program, "lab", "up", str(file), "--json", "--name", name]
    start = time.monotonic()
    facts = _answer(argv)
    apis: list[ClusterAPI] = []
    try:
        apis += [ClusterAPI(name, Path(path), timeout=TIMEOUT) for name, path in facts["clusters"].items()]
        for api in apis:
            _await_running(api, nodes, nodes * pods, start + TIMEOUT)
        ready = time.monotonic()
    finally:
        for api in apis:
            api.close()
        ending = time.perf_counter()
        end_lab(find_lab(name))
        ended = time.perf_counter()
    return {"ready_s": ready - start, "teardown_ms": (ended - ending) * 1e3}


def _await_running(api: ClusterAPI, nodes: int, pods: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        found = [_conditions(api, path).count(True) for path in ("/api/v1/nodes", "/api/v1/pods")]
        if found[0] >= nodes and found[1] >= pods:
            return
        time.sleep(POLL)
    raise LabError(f"cluster {api.name} has not {nodes} nodes and {pods} pods ready", where="bench lab")


def _conditions(api: ClusterAPI, path: str) -> list[bool]:
    """Return for each object whether its condition Ready is True."""
    items: list[dict[str, Any]] = api.request("GET", path).body["items"]
    return [
        any(each["type"] == "Ready" and each["status"] == "True" for each in item["status"].get("conditions", ()))
        for item in items
    ]


def _topology_file(clusters: int, nodes: int, pods: int) -> str:
    wanted = topology(clusters, nodes)
    specs = [
        {
            "name": cluster.name,
            "plugin": cluster.plugin.value,
            "podCIDRs": [str(cidr) for cidr in cluster.pod_cidrs],
            "serviceCIDRs": [str(cidr) for cidr in cluster.service_cidrs],
            "nodeCIDRs": [str(cidr) for cidr in cluster.node_cidrs],
            "nodes": [{"name": node.name, "gateway": node.gateway} for node in cluster.nodes],
        }
        for cluster in wanted.clusters
    ]
    head = {"apiVersion": "l3conf.io/v1alpha1", "kind": "Topology", "metadata": {"name": wanted.name}}
    return yaml.safe_dump(head | {"spec": {"podsPerNode": pods, "clusters": specs}})


def _isolated(argv: Sequence[str]) -> dict[str, Any]:
    return _answer([*_ISOLATED, *argv])


def _answer(argv: Sequence[str]) -> dict[str, Any]:
    """Run a command whose output is one JSON object."""
    environment = {**os.environ, "PATH": _PATH}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise LabError(f"still running after {TIMEOUT:g} s", where=" ".join(argv[:3])) from None
    except OSError as error:
        raise UnavailableError(f"{argv[0]}: {error.strerror}") from None
    if done.returncode:
        raise UnavailableError(_last_line(done.stderr) or f"{argv[0]} ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
