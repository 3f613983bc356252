"""A run in a copy of this process is one of its own: environment, log, exit code and end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.model.few_nodes import with_few_nodes
from l3conf.plugin import forked
from l3conf.plugin.options import topology_file
from l3conf.plugin.process import Selection, end
from l3conf.plugin.run import SCRATCH
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND = 60.0


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], forked.ForkedRun]:
    """Return a function that runs a test's text in a copy of this process."""

    def begin(text: str) -> forked.ForkedRun:
        test = tmp_path / "test_copy.py"
        test.write_text(text, encoding="utf-8")
        words = ["python", "-m", "pytest", str(test), "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
        monkeypatch.setattr(forked, "command", lambda _selection, *more: [*words, *more])
        with (tmp_path / "log").open("wb") as log:
            return forked.fork(Selection(implementation=Path("impl.yaml")), log, tmp_path)

    return begin


def test_it_ends_with_pytests_exit_code_and_prints_into_its_log(
    start: Callable[[str], forked.ForkedRun], tmp_path: Path
) -> None:
    running = start(f"import os\ndef test_it():\n  assert os.environ['{SCRATCH}'] == '{tmp_path}'\n  assert 1 == 2\n")
    assert running.wait(BOUND) == pytest.ExitCode.TESTS_FAILED
    assert "assert 1 == 2" in (tmp_path / "log").read_text(encoding="utf-8")
    assert SCRATCH not in os.environ
    running.kill()  # of no effect once it has ended


def test_it_is_interrupted_as_other_runs_are(start: Callable[[str], forked.ForkedRun], tmp_path: Path) -> None:
    said = tmp_path / "said"
    running = start(
        # signal.pause() would miss what arrives between its caller's last check and the system call.
        f"import pathlib, time\ndef test_it():\n  pathlib.Path({str(said)!r}).touch()\n  while True: time.sleep(0.01)\n"
    )
    while not said.exists():
        assert running.poll() is None
    end(running)
    assert running.returncode == pytest.ExitCode.INTERRUPTED


def test_whatever_breaks_in_the_copy_does_not_run_the_callers_code(
    start: Callable[[str], forked.ForkedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forked, "_become_run", lambda *_: 1 / 0)
    assert start("def test_it(): pass").wait(BOUND) == os.EX_SOFTWARE


def test_few_nodes_keep_every_placement(checkout: Path) -> None:
    topology = load_topology(topology_file("two-clusters", checkout))
    small = with_few_nodes(topology)
    for before, after in zip(topology.clusters, small.clusters, strict=True):
        assert after.gateway_nodes == before.gateway_nodes
        assert after.worker_nodes == before.worker_nodes[:1]
