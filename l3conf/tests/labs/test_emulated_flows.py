"""Outages of a running lab are measured as long as they are."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.continuity import NumberedFlow, clean_since, continuity
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab
from l3conf.model.addressing import node_addresses
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from l3conf.continuity import FlowRecord
    from l3conf.labs.base import FlowReader

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
PATIENCE = 30.0
RATES = (100.0, 1000.0)
SLACK = 0.02
"""Seconds by which the prober's emission may be late (``probes.numbered``)."""

pytestmark = pytest.mark.xdist_group("emulated-lab")


@pytest.fixture(scope="module")
def lab() -> Iterator[EmulatedLab]:
    topology = dataclasses.replace(load_topology(TOPOLOGIES / "two-clusters.yaml"), pods_per_node=1)
    running = EmulatedLab.start(topology)
    yield running
    running.close()


def flows_between(lab: EmulatedLab, *rates: float) -> list[NumberedFlow]:
    """Flows in both directions between the first nodes of both clusters, one a rate."""
    clusters = lab.topology.clusters
    return [
        NumberedFlow(
            id=f"{index:016x}",
            source=f"{here.name}@{here.nodes[0].name}",
            destination=node_addresses(there, 0)[0],
            port=7100,
            receivers=(f"{there.name}@{there.nodes[0].name}",),
            rate=rate,
        )
        for index, (rate, (here, there)) in enumerate(itertools.product(rates, itertools.permutations(clusters, 2)))
    ]


def wait_for(read: FlowReader, condition: Callable[[list[FlowRecord]], bool]) -> list[FlowRecord]:
    deadline = time.monotonic() + PATIENCE
    while not condition(records := read()):
        assert time.monotonic() < deadline
    return records


def clean(records: list[FlowRecord]) -> bool:
    return all(clean_since(record, 0.2) for record in records)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
def test_an_injected_outage_is_measured_within_one_period(lab: EmulatedLab, seconds: float) -> None:
    flows = flows_between(lab, *RATES)
    with lab.flows(flows) as read:
        wait_for(read, clean)
        asked = time.monotonic()
        with lab.cut("east", "west"):
            cut = time.monotonic()
            time.sleep(seconds)
            healing = time.monotonic()
        healed = time.monotonic()
        wait_for(read, clean)
        read.stop()
        seen = {record.flow: continuity(record) for record in read()}
    for flow, one in seen.items():
        if flow.source.startswith("west"):
            assert one.lost == 0
            continue
        blind = max(flow.period, one.silence)  # longer than a period where the machine held the prober up
        if not one.gaps:
            assert blind >= healing - cut, "it emitted something meanwhile"
            continue
        (gap,) = one.gaps
        assert healing - cut - blind - SLACK <= gap.seconds <= healed - asked + blind + SLACK
        assert asked - SLACK <= gap.began <= cut + blind + SLACK
        assert (one.duplicated, one.reordered) == (0, 0)


def test_flows_end_and_are_forgotten_with_their_context(lab: EmulatedLab) -> None:
    flows = flows_between(lab, 100.0)
    with lab.flows(flows) as read:
        wait_for(read, clean)
    with pytest.raises(LabError, match="no flow"):
        read()
    with lab.flows(flows) as read:  # so their names are free again
        wait_for(read, clean)
        with pytest.raises(LabError, match="already"), lab.flows(flows):
            pass


def test_flows_end_when_whoever_began_them_is_killed(lab: EmulatedLab, tmp_path: Path) -> None:
    script = tmp_path / "hold.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from l3conf.emulator.control.client import ControlClient\n"
        "flow = {'id': '77' * 8, 'source': 'east@east-1', 'destination': '192.0.2.3', 'port': 7100,\n"
        "        'receivers': ['@outsider'], 'rate': 100, 'size': 64}\n"
        "control = ControlClient(Path(sys.argv[1]))\n"
        "control.call('flows.start', {'flows': [flow]})\n"
        "print('running', flush=True)\n"
        "sys.stdin.read()\n"
    )
    asked = {"positions": [["77" * 8, 0, 0]]}
    argv = [sys.executable, str(script), str(lab.state)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "running\n"
        assert lab._call("flows.read", asked)
        holder.kill()
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(LabError, match="no flow"):
        any(lab._call("flows.read", asked) is None for _ in iter(lambda: time.monotonic() < deadline, False))  # noqa: FBT003 - iter's signature
