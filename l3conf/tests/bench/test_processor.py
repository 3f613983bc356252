"""CPU seconds by kind of process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from l3conf.bench.processor import CPUMeter, kind_of

_BUSY = "import time\nwhile time.process_time() < {seconds}: pass"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("/venv/bin/python -m reference_impl gateway", "reference_impl gateway"),
        ("/venv/bin/python -X dev -m l3conf.emulator 4 /tmp/x", "l3conf.emulator"),
        ("/usr/bin/wireguard-go -f submariner", "wireguard-go"),
        ("/bin/tool -m", "tool"),
        ("", "kernel"),
    ],
)
def test_a_process_is_named_by_what_it_runs(command: str, kind: str) -> None:
    assert kind_of(command.replace(" ", "\0").encode() + b"\0") == kind


def test_what_children_use_counts_as_theirs_while_they_run_and_as_their_parents_afterwards() -> None:
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BUSY.format(seconds=0.2)!r}])\n"
    with subprocess.Popen(
        [sys.executable, "-c", parent + "print(1, flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        meter = CPUMeter(os.getpid())
        assert process.stdout is not None
        process.stdout.readline()
        used = meter.used()
        process.communicate("\n")
    ticks = 4 / os.sysconf("SC_CLK_TCK")  # the kernel cuts each of the four times of proc_pid_stat(5) to whole ticks
    assert 0.2 - ticks <= used[Path(sys.executable).name] < 5.0
