"""Runs measure what they say, in namespaces of their own, and say so where they cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from l3conf.bench import runners
from l3conf.bench.fabric_run import graph_of, topology
from l3conf.bench.runners import KernelLimit, UnavailableError, run_fabric, run_mininet
from l3conf.emulator.fabric.plan import plan_fabric
from l3conf.tests.sandbox import sandboxed


def test_the_graph_is_the_fabrics_own() -> None:
    count, cables = graph_of(topology(2, 3), 4)
    planned = plan_fabric(topology(2, 3)).namespaces
    assert count == len(planned) + 24
    assert len(cables) == sum(len(plan.cables) for plan in planned.values()) + 24
    assert sorted(leaf for _, leaf in cables) == list(range(1, count))


@sandboxed  # the machine's own links come and go with whatever else runs there
def test_a_fabric_is_built_and_closed_without_touching_this_namespace() -> None:
    before = Path("/proc/net/dev").read_text().count(":")
    figures = run_fabric(1, 2, 2)
    assert figures.keys() == {"build_ms", "teardown_ms"}
    assert all(figure > 0 for figure in figures.values())
    assert Path("/proc/net/dev").read_text().count(":") == before


def test_the_c_baseline_makes_the_same_graph(tmp_path: Path) -> None:
    try:
        program = KernelLimit.compile(tmp_path)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert program.run(1, 2, 2)["milliseconds"] > 0
    bad = subprocess.run([program.program, "2", "0:2"], check=False, capture_output=True, text=True)
    assert (bad.returncode, bad.stderr) == (2, "usage: kernel_limit NAMESPACES HUB:LEAF...\n")


def test_a_machine_without_rivals_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "_PATH", str(tmp_path))
    runners._require_mininet.cache_clear()
    with pytest.raises(UnavailableError, match="package gcc"):
        KernelLimit.compile(tmp_path)
    with pytest.raises(UnavailableError, match="package bridge-utils"):
        run_mininet(1)
    monkeypatch.undo()
    monkeypatch.setattr(runners, "SYSTEM_PYTHON", "/nonexistent/python3")
    monkeypatch.setattr(shutil, "which", lambda *_arguments, **_options: "/usr/sbin/brctl")
    with pytest.raises(UnavailableError, match="package mininet"):
        run_mininet(1)
