"""A finished run to look at: two workers, one topology, and tests of every outcome."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from l3conf.model.implementation import REQUIRED_VERBS, Implementation
from l3conf.report.events import EventWriter, HookCalled, LabFacts, RunStarted, TestFinished, WorkerFinished
from l3conf.report.facts import RunFacts
from l3conf.report.output import prepare_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from l3conf.report.events import Event

F1 = "scenarios/test_pod_to_pod.py::test_pods_reach_pods[udp]"
F1_TCP = "scenarios/test_pod_to_pod.py::test_pods_reach_pods[tcp]"
F5 = "scenarios/test_source.py::test_server_sees_the_pod_that_called_it"
M1 = "scenarios/test_removal.py::test_nothing_is_left"
COLLECTED = {F1: ["L3-F1"], F1_TCP: ["L3-F1"], F5: ["L3-F5"], M1: ["L3-M1", "L3-M2"]}


def finished(test: str, outcome: str, **fields: object) -> TestFinished:
    return TestFinished(test=test, rows=COLLECTED[test], outcome=outcome, **fields)  # type: ignore[arg-type]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output directory ready for events."""
    directory = tmp_path / "report"
    prepare_output(directory)
    return directory


@pytest.fixture
def record(output: Path) -> Callable[..., None]:
    """Write one worker's events, ended in order."""

    def write(worker: str, *events: Event) -> None:
        with EventWriter(output / "events" / f"{worker}.jsonl") as writer:
            for event in (RunStarted(tests=COLLECTED), *events, WorkerFinished(exit_code=0)):
                writer.write(event)

    return write


@pytest.fixture
def facts(tmp_path: Path) -> RunFacts:
    implementation = Implementation(
        name="mylink",
        version="1.4.0",
        path=tmp_path / "impl.yaml",
        command=("true",),
        verbs=REQUIRED_VERBS,
    )
    start = dt.datetime(2026, 1, 15, 12, 0, tzinfo=dt.UTC)
    return RunFacts(
        implementation=implementation,
        lab="emulated",
        seed=7,
        started_at=start,
        finished_at=start + dt.timedelta(seconds=25),
        topologies={"two-clusters": "ab" * 32},
        crds={"endpoints.submariner.io": "cd" * 32},
    )


@pytest.fixture
def ran(output: Path, record: Callable[..., None]) -> Path:
    """Events of a run in which L3-F1 passed, L3-F5 failed with evidence, and L3-M1 broke in the lab."""
    (output / "evidence" / "f5.txt").write_text("10.1.1.2 > 10.2.1.2\n", encoding="utf-8")
    record(
        "gw0",
        LabFacts(topology="two-clusters", facts={"nodes": "6"}, seconds=1.5),
        LabFacts(topology="two-clusters", facts={"tunnels/east@east-1": "wg0 (wireguard)"}, seconds=0.0),
        HookCalled(verb="deploy", cluster="", exit_code=0, seconds=0.4),
        finished(F1, "pass", seconds=0.2, measured={"T_join": 3.25}),
        finished(F5, "fail", phase="gateway east-1", message="seen as 172.16.1.10", evidence=["evidence/f5.txt"]),
    )
    record(
        "gw1",
        finished(F1_TCP, "pass", measured={"T_join": 1.0}),
        finished(M1, "pass", phase="call"),
        finished(M1, "error", phase="teardown", message="the lab's process has ended"),
    )
    return output
