"""The kind CLI and kubectl: words, versions, failures, hangs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.labs.kind import commands
from l3conf.labs.kind.commands import Kind, kubectl_apply, step_of

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.tests.kind.conftest import Bench


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("kind v0.20.0 go1.20.4 linux/amd64", (0, 20, 0)),
        ("kind v0.29.0 go1.24.2 linux/amd64", (0, 29, 0)),
        ("kind v0.32.0-alpha+7b8d9f1a2c3d4e go1.26.0 darwin/arm64", (0, 32, 0)),
    ],
)
def test_versions_are_read_as_kind_prints_them(bench: Bench, said: str, version: tuple[int, int, int]) -> None:
    bench.tell("version", said)
    assert Kind(bench.program).version() == version


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("kind v0.11.1 go1.16.4 linux/amd64", r"kind v0\.11\.1 is too old.*0\.20\.0 or later"),
        ("gnome-kind 3.2", "this is not the kind CLI"),
        ("kind", "this is not the kind CLI"),
    ],
)
def test_other_programs_and_old_versions_are_refused(bench: Bench, said: str, message: str) -> None:
    bench.tell("version", said)
    with pytest.raises(MissingPrerequisiteError, match=message):
        Kind(bench.program).version()


def test_a_missing_kind_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPrerequisiteError, match=r"there is no command kind.*quick-start"):
        Kind().version()


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (" ✓ Ensuring node image (kindest/node:v1.33.1) 🖼\n", "Ensuring node image (kindest/node:v1.33.1)"),
        (" • Preparing nodes 📦 📦 📦   ...\n", "Preparing nodes"),
        (" ✗ Starting control-plane 🕹️\n", "Starting control-plane"),
        (" ✓ Joining worker nodes 🚜\n", "Joining worker nodes"),
        ('Creating cluster "east" ...\n', ""),
        ("ERROR: failed to create cluster: node(s) already exist\n", ""),
    ],
)
def test_steps_are_read_as_kind_prints_them(line: str, step: str) -> None:
    assert step_of(line) == step


def test_kind_is_told_the_network_and_the_engine(bench: Bench, tmp_path: Path) -> None:
    spy = tmp_path / "spy"
    spy.write_text('#!/bin/sh\nenv | grep ^KIND_ > "$STUB_KIND/env"; echo "$@" > "$STUB_KIND/words"\n')
    spy.chmod(0o755)
    config, kubeconfig = tmp_path / "c.yaml", tmp_path / "k.yaml"
    Kind(str(spy)).create("l3conf-x-east", config, kubeconfig, network="l3conf-x-east", progress=lambda _step: None)
    assert sorted((bench.home / "env").read_text().split()) == [
        "KIND_EXPERIMENTAL_DOCKER_NETWORK=l3conf-x-east",
        "KIND_EXPERIMENTAL_PROVIDER=docker",
    ]
    assert (bench.home / "words").read_text().split() == [
        *("create", "cluster", "--name", "l3conf-x-east", "--config", str(config)),
        *("--kubeconfig", str(kubeconfig), "--wait", "0s"),
    ]


def test_an_interrupted_kind_ends_and_no_other_is_started(bench: Bench, tmp_path: Path) -> None:
    kind = Kind(bench.program)
    bench.tell("hang", "create x")
    errors: list[LabError] = []

    def create() -> None:
        try:
            kind.create("x", tmp_path / "c", tmp_path / "k", network="n", progress=lambda _step: None)
        except LabError as error:
            errors.append(error)

    thread = threading.Thread(target=create)
    thread.start()
    deadline = time.monotonic() + 10
    while not bench.calls() and time.monotonic() < deadline:
        time.sleep(0.05)
    kind.interrupt()
    thread.join(10)
    assert not thread.is_alive()
    assert "kind create cluster ended with -15" in str(errors[0])
    with pytest.raises(LabError, match="no longer run"):
        kind.kubeconfig("x")


def test_a_kind_that_ignores_signals_is_killed(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del bench
    monkeypatch.setattr(commands, "_END_GRACE", 0.3)
    monkeypatch.setattr(commands, "_QUICK", 0.5)
    deaf = tmp_path / "deaf"
    deaf.write_text('#!/bin/sh\ntrap "" TERM\necho waiting >&2\nwhile :; do sleep 1; done\n')
    deaf.chmod(0o755)
    began = time.monotonic()
    with pytest.raises(LabError, match=r"kind get kubeconfig has not ended after 0\.5 s: waiting"):
        Kind(str(deaf)).kubeconfig("x")
    assert time.monotonic() - began < 10


def test_kind_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    program = (
        "import os, sys, threading\n"
        "from l3conf.labs.kind.commands import start\n"
        "p = start(['sh', '-c', 'echo $$ > \"$0\"; sleep 60', sys.argv[1]], os.environ)\n"
        "p.wait()\n"
    )
    run = subprocess.Popen([sys.executable, "-c", program, str(mark)])
    deadline = time.monotonic() + 10
    while not (mark.exists() and mark.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.kill()
    run.wait()
    pid = mark.read_text().strip()
    while time.monotonic() < deadline and _lives(pid):
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - gone at any moment
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_kubectl_applies_manifests_as_their_projects_say(bench: Bench, tmp_path: Path) -> None:
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text('#!/bin/sh\necho "$@" > "$STUB_KIND/kubectl"\n')
    kubectl.chmod(0o755)
    kubectl_apply(tmp_path / "k.yaml", "https://example.org/flannel.yml")
    words = f"--kubeconfig {tmp_path}/k.yaml apply --server-side -f https://example.org/flannel.yml"
    assert (bench.home / "kubectl").read_text().strip() == words
    kubectl.write_text("#!/bin/sh\necho 'error: no matches for kind \"Installation\"' >&2; exit 1\n")
    with pytest.raises(LabError, match=r"kubectl apply -f x ended with 1.*no matches for kind"):
        kubectl_apply(tmp_path / "k.yaml", "x")
