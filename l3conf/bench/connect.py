"""``l3conf bench connect``: from two fresh clusters to the first packet across, and what agents cost.

The clock starts before the first hook: deploy and both joins count. Memory is the peak resident size (VmHWM) of
every container that the implementation started.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from l3conf.adapter.hooks import HookRunner
from l3conf.adapter.images import resolved_images, visible_directories
from l3conf.adapter.requests import HookRequest
from l3conf.bench.topology import TWO_CLUSTERS
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.implementation import Verb
from l3conf.observation import Outcome, Probe
from l3conf.probes.wire import PORT
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from l3conf.model.implementation import Implementation

PATIENCE = 60.0
"""Seconds until a packet must have crossed; more is no figure but a failure."""
PERIOD = 0.02


@click.command()
@click.option("--impl", type=click.Path(path_type=Path), default=Path("reference_impl/impl.yaml"), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def connect(impl: Path, rounds: int, *, as_json: bool) -> None:
    """Measure how long two fresh clusters take to connect, hooks included, and what agents cost."""
    implementation = load_implementation(impl)
    runs = [_measure(implementation) for _ in range(rounds)]
    seconds, memory = [run[0] for run in runs], [run[1] for run in runs]
    answer = {
        "implementation": implementation.name,
        "rounds": rounds,
        "first_packet_seconds": {"median": round(median(seconds), 2), "worst": round(max(seconds), 2)},
        "agent_peak_rss_mb": {"median": round(median(memory), 1), "worst": round(max(memory), 1)},
    }
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"first packet after {median(seconds):.2f} s (worst of {rounds}: {max(seconds):.2f} s)")
    click.echo(f"agents use at most {max(memory):.1f} MB")


def _measure(implementation: Implementation) -> tuple[float, float]:
    """Return the seconds to the first packet and the largest peak resident size of an agent in MB."""
    topology = dataclasses.replace(load_topology(TWO_CLUSTERS), pods_per_node=1)
    lab = EmulatedLab.start(
        topology, images=resolved_images(implementation), visible=visible_directories(implementation)
    )
    try:
        with tempfile.TemporaryDirectory(prefix="l3conf-bench-") as scratch:
            work = Path(scratch)
            runner = HookRunner(implementation, log_directory=work / "hooks")
            began = time.monotonic()
            runner.run(Verb.DEPLOY, HookRequest(lab=lab, work_directory=work))
            for cluster in topology.clusters:
                runner.run(Verb.JOIN, HookRequest(lab=lab, work_directory=work, cluster=cluster.name))
            _await_packet(lab)
            seconds = time.monotonic() - began
        return seconds, max(_peak_resident_sizes(lab))
    finally:
        lab.close()


def _await_packet(lab: EmulatedLab) -> None:
    """Send from worker to worker until one packet got there and back."""
    east, west = (_worker_pod(lab, cluster) for cluster in ("east", "west"))
    probe = Probe(source=east[0], destination=ip_address(west[1]), port=PORT, timeout=0.2)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if lab.probe([probe])[0].outcome is Outcome.DELIVERED:
            return
        time.sleep(PERIOD)
    raise LabError(f"no packet crossed within {PATIENCE:.0f} s")


def _worker_pod(lab: EmulatedLab, cluster: str) -> tuple[str, str]:
    """Return place and address of a probe pod on a node without a gateway."""
    worker = lab.topology.cluster(cluster).worker_nodes[0].name
    for pod in lab.status()["clusters"][cluster]["pods"]:
        if pod["node"] == worker and pod["namespace"] == "l3conf-probes":
            return f"{cluster}/{pod['namespace']}/{pod['name']}", str(pod["address"])
    raise LabError("no probe pod runs there", where=f"{cluster}@{worker}")


def _peak_resident_sizes(lab: EmulatedLab) -> list[float]:
    """Return VmHWM in MB of every container: the grandchildren of the lab's first process."""
    sizes = [_peak_resident_size(container) for child in _children(lab.emulator_pid) for container in _children(child)]
    if not sizes:
        raise LabError("the implementation runs no container")
    return sizes


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _peak_resident_size(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000
