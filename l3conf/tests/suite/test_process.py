from __future__ import annotations

import contextlib
import operator
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin import process
from l3conf.plugin.options import Evidence
from l3conf.plugin.process import Selection, command, environment, sigterm_interrupts, started

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable


def test_a_selection_becomes_the_plugins_options() -> None:
    selection = Selection(
        implementation=Path("/impl.yaml"),
        output=Path("/out"),
        seed=0,
        rows=("L3-F1",),
        topologies=("two-clusters",),
        budgets={"T_join": 2.5},
        hook_env={"A": "b=c"},
        workers=2,
        evidence=Evidence.NONE,
        allure=Path("/allure"),
    )
    assert selection.arguments() == [
        *("--impl", "/impl.yaml", "--on", "emulated", "--report", "/out", "--seed", "0"),
        *("--row", "L3-F1", "--topology", "two-clusters", "--budget", "T_join=2.5", "--hook-env", "A=b=c"),
        *("-n", "2", "--dist", "loadgroup", "--max-worker-restart", "2", "--evidence", "none"),
        *("-p", "allure_pytest.plugin", "--alluredir", "/allure"),
    ]


@pytest.mark.parametrize(("lab_kind", "workers"), [("mininet", True), ("existing", False), ("kind", False)])
def test_clusters_that_exist_have_one_lab_at_a_time_whatever_is_asked_for(
    lab_kind: str,
    workers: bool,  # noqa: FBT001 - a row of the table
) -> None:
    words = Selection(implementation=Path("/impl.yaml"), lab_kind=lab_kind, workers=4).arguments()
    assert ("-n" in words) is workers


def test_the_callers_pytest_settings_do_not_reach_a_run() -> None:
    kept = environment({"PATH": "/bin", "PYTEST_ADDOPTS": "-x", "PYTEST_PLUGINS": "p", "COV_CORE_SOURCE": "s"})
    assert kept == {"PATH": "/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_a_run_reads_no_settings_file_and_knows_its_scenarios() -> None:
    words = command(Selection(implementation=Path("impl.yaml")))
    assert words[words.index("-c") + 1] == os.devnull
    assert (Path(words[3]) / "test_f5_source_address.py").is_file()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Replace pytest by a process that runs until it is interrupted, and then says so in a file."""
    said = tmp_path / "said"
    script = (
        "import pathlib, signal, sys, time\n"
        f"said = pathlib.Path({str(said)!r})\n"
        "said.write_text('running')\n"
        "try:\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    said.write_text('interrupted')\n"
    )
    monkeypatch.setattr(process, "command", lambda *_: [sys.executable, "-c", script])
    return said


def await_running(said: Path) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if said.exists() and said.read_text() == "running":
            return
        pause.wait(0.02)
    raise AssertionError("the process did not start")


def leave_early(said: Path, log: Path, leave: Callable[[], object]) -> subprocess.Popen[bytes]:
    """Start a run, leave its context by whatever ``leave`` raises, and return its process."""
    with log.open("wb") as stream, contextlib.suppress(ZeroDivisionError, KeyboardInterrupt):
        with started(Selection(implementation=Path("impl.yaml")), stream) as running:
            await_running(said)
            leave()
        raise AssertionError("nothing was raised")
    return running


def test_a_run_that_is_left_early_is_interrupted_and_ends_in_order(endless: Path, tmp_path: Path) -> None:
    running = leave_early(endless, tmp_path / "log", lambda: operator.truediv(1, 0))
    assert running.poll() is not None
    assert endless.read_text() == "interrupted"


def test_a_run_in_the_background_of_a_shell_can_be_interrupted_too(endless: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        leave_early(endless, tmp_path / "log", lambda: operator.truediv(1, 0))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert endless.read_text() == "interrupted"


def test_sigterm_counts_as_an_interrupt_and_ends_the_run(endless: Path, tmp_path: Path) -> None:
    running = leave_early(endless, tmp_path / "log", lambda: signal.raise_signal(signal.SIGTERM))
    assert running.poll() is not None
    assert endless.read_text() == "interrupted"


def test_the_former_handler_of_sigterm_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_interrupts():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
