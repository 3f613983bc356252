"""A run whose command is killed ends itself and takes its files along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

IMPLEMENTATION = Path(__file__).parents[2] / "teeth" / "null_implementations" / "does_nothing" / "impl.yaml"
PATIENCE = 30.0

pytestmark = pytest.mark.xdist_group("emulated-lab")


def descendants(pid: int) -> list[int]:
    try:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return found + [below for child in found for below in descendants(child)]


def running(pids: list[int]) -> list[int]:
    states = {}
    for pid in pids:
        try:
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
    return [pid for pid, state in states.items() if state != "Z"]


def test_nothing_runs_on_and_nothing_stays_when_certify_is_killed(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    argv = [
        sys.executable,
        "-m",
        "l3conf",
        "certify",
        "--impl",
        str(IMPLEMENTATION),
        "-o",
        str(tmp_path / "out"),
        "-n1",
    ]
    with subprocess.Popen(
        argv, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as command:
        deadline = time.monotonic() + PATIENCE
        while len(below := descendants(command.pid)) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(below) >= 6, "the lab never came up"
        command.send_signal(signal.SIGKILL)
    while (left := running(below)) and time.monotonic() < deadline + PATIENCE:
        time.sleep(0.05)
    assert left == []
    while (files := list(temporary.iterdir())) and time.monotonic() < deadline + PATIENCE:
        time.sleep(0.05)
    assert files == []
