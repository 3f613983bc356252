"""The whole path of ``--on kind``: the program, its rows and its end, with the real docker and Kubernetes clients.

Docker and kind are stubs; the clusters that the stub kind hands out are emulated ones, whose nodes are called as
kind's. So packets are real, and what scripts in routers would do is done to the emulated lab's own: a path that is cut
is cut.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from l3conf.labs.kind.claim import owner
from l3conf.labs.kind.naming import names_of
from l3conf.labs.kind.settings import KindSettings
from l3conf.model.few_nodes import with_few_nodes
from l3conf.tests.kind import stub_kind
from l3conf.tests.kind.conftest import NODE, PROBE, topology
from l3conf.tests.kind.emulated_kind import CUT, ROOT, RUN, Clusters, broker_node, emulated
from l3conf.tests.kind.stub_engine import StubEngine
from l3conf.tests.kind.stub_http import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.timeout(4 * RUN)


@pytest.fixture(autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """Let one worker at a time have a lab of kind: a host has one."""
    base = tmp_path_factory.getbasetemp()
    with ((base if worker_id == "master" else base.parent) / "kind-lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    folder = tmp_path_factory.mktemp("kind")
    of = with_few_nodes(topology("two-clusters"))
    names = names_of(of, KindSettings(), owner())
    home = folder / "home"
    (home / "kubeconfigs").mkdir(parents=True)
    program = folder / "kind"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {stub_kind.__file__} "$@"\n')
    program.chmod(0o755)
    # An engine in a virtual machine, as that of Docker Desktop: this host's own limits are not asked for.
    engine = StubEngine(images={PROBE, NODE}, info={"OperatingSystem": "Docker Desktop"})
    lab = emulated(of, names)
    try:
        for cluster, access in lab.clusters.items():
            (home / "kubeconfigs" / names.cluster(cluster)).write_text(access.kubeconfig.read_text())
        (home / "kubeconfigs" / names.broker).write_text(lab.broker.kubeconfig.read_text())
        with broker_node(lab, names), serving(engine, folder / "docker.sock") as host:
            (folder / "tmp").mkdir()  # where runs that are killed leave what they had
            own = {"DOCKER_HOST": host, "STUB_KIND": str(home), "TMPDIR": str(folder / "tmp")}
            env = {**os.environ, **own, "PATH": f"{folder}:{os.environ['PATH']}"}
            found = Clusters(engine, lab, names, home, env)
            engine.on_exec = found.answer
            yield found
    finally:
        lab.close()


def test_rows_pass_on_clusters_of_kind_and_nothing_is_left(clusters: Clusters, tmp_path: Path) -> None:
    before = clusters.namespaces()
    rows = ("L3-F1", "L3-F5", "L3-E1")
    done = clusters.run(*rows, more=("-o", str(tmp_path / "report")))
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    found = {row["id"]: row for row in report["rows"] if row["id"] in rows}
    verdicts = {row: (found[row]["verdict"], found[row].get("reason", "")) for row in rows}
    assert {row: verdict for row, (verdict, _) in verdicts.items()} == dict.fromkeys(rows, "pass"), (
        verdicts,
        done.stdout[-3000:],
    )
    assert report["run"]["lab"] == "kind"
    assert report["harnessErrors"] == []
    assert clusters.engine.containers == {}
    assert clusters.engine.networks == {}
    cuts = [command for command in clusters.engine.commands if CUT.search(command.script)]
    assert cuts, "the row about lost paths cut some"
    assert before <= clusters.namespaces()


def test_what_no_ground_of_docker_has_is_untestable(clusters: Clusters, tmp_path: Path) -> None:
    clusters.run("L3-N4", more=("-o", str(tmp_path / "report")))
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    (row,) = [row for row in report["rows"] if row["id"] == "L3-N4"]
    assert row["verdict"] == "untestable"
    assert "api-faults" in row["reason"]


def test_clusters_that_are_kept_serve_the_next_run(clusters: Clusters) -> None:
    def made() -> int:
        calls = clusters.home / "calls"
        return sum(call.startswith("create") for call in calls.read_text().splitlines()) if calls.exists() else 0

    before = made()
    first = clusters.run("L3-F1", more=["--keep-clusters"])
    assert first.returncode == 0, first.stdout[-3000:]
    assert made() == before + 3
    assert {one.labels.get("io.x-k8s.kind.role") for one in clusters.engine.containers.values()} == {
        "control-plane",
        "worker",
    }
    second = clusters.run("L3-F1")
    assert second.returncode == 0, second.stdout[-3000:]
    assert made() == before + 3
    assert clusters.engine.containers == {}, "who does not keep them takes them away"


def test_ctrl_c_takes_everything_away(clusters: Clusters) -> None:
    words = clusters.command("run", "L3-F1", "--topology", "two-clusters", "--stretch", "5")
    process = subprocess.Popen(
        words, cwd=ROOT, env=clusters.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        wait_for(lambda: clusters.names.outsider in clusters.engine.containers)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=RUN)
    assert clusters.engine.containers == {}
    assert clusters.engine.networks == {}


def test_what_a_killed_run_left_the_next_command_removes(clusters: Clusters) -> None:
    words = clusters.command("run", "L3-F1", "--topology", "two-clusters", "--stretch", "5")
    process = subprocess.Popen(
        words, cwd=ROOT, env=clusters.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with process:
        wait_for(lambda: clusters.names.outsider in clusters.engine.containers)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(RUN)
    assert clusters.engine.containers
    done = subprocess.run(
        [sys.executable, "-m", "l3conf.cli.main", "clean", "--on", "kind"],
        capture_output=True,
        text=True,
        timeout=RUN,
        env=clusters.env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"removed {clusters.names.outsider}" in done.stdout
    assert clusters.engine.containers == {}
    assert clusters.engine.networks == {}


def test_everything_that_is_missing_is_said_at_once(clusters: Clusters) -> None:
    clusters.engine.images.discard(PROBE)
    try:
        env = {**clusters.env, "PATH": "/usr/bin:/bin"}
        words = clusters.command("run", "L3-F1")
        done = subprocess.run(words, capture_output=True, text=True, timeout=RUN, cwd=ROOT, env=env, check=False)
    finally:
        clusters.engine.images.add(PROBE)
    assert done.returncode == 3
    assert f"docker has no image {PROBE} (make images" in done.stderr
    assert "there is no command kind" in done.stderr
    assert "Traceback" not in done.stderr


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + RUN
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)
