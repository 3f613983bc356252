"""Run the scenarios in a pytest process of their own, whose labs end with it whatever happens.

The process sees nothing of the caller's pytest settings and plugins, so that a certification is the same on
every machine; those who want theirs run ``pytest scenarios``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

_PLUGINS = ("l3conf.plugin", "xdist.plugin")
_END_GRACE = 20.0
"""Seconds that an interrupted run gets to end its labs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to run, on what, under which rules."""

    implementation: Path
    lab_kind: str = "emulated"
    output: Path | None = None
    seed: int | None = None
    rows: tuple[str, ...] = ()
    topologies: tuple[str, ...] = ()
    budgets: Mapping[str, float] | None = None
    hook_env: Mapping[str, str] | None = None
    workers: int = 0
    """xdist workers; 0: none."""

    def arguments(self) -> list[str]:
        """Return the plugin's options."""
        words = ["--impl", str(self.implementation.absolute()), "--on", self.lab_kind]
        if self.output is not None:
            words += ["--report", str(self.output.absolute())]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        for flag, values in (("--row", self.rows), ("--topology", self.topologies)):
            words += [word for value in values for word in (flag, value)]
        for name, seconds in (self.budgets or {}).items():
            words += ["--budget", f"{name}={seconds!r}"]
        for name, value in (self.hook_env or {}).items():
            words += ["--hook-env", f"{name}={value}"]
        if self.workers:
            words += ["-n", str(self.workers), "--dist", "loadgroup", "--max-worker-restart", "2"]
        return words


def scenarios_directory() -> Path:
    """Return where the scenarios are: in this checkout or in the installed package."""
    spec = importlib.util.find_spec("scenarios")
    for place in spec.submodule_search_locations or () if spec is not None else ():
        return Path(place)
    raise UserError("the scenarios are not installed", remedy="install l3conf again, or run in a checkout")


def command(selection: Selection, *more: str) -> list[str]:
    """Return the whole command line."""
    scenarios = scenarios_directory()
    words = [sys.executable, "-m", "pytest", str(scenarios), "--rootdir", str(scenarios.parent), "-c", os.devnull]
    words += [word for plugin in _PLUGINS for word in ("-p", plugin)]
    words += ["-p", "no:cacheprovider", "--strict-markers", "--import-mode=importlib"]
    return [*words, *selection.arguments(), *more]


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a run: the caller's, without what would change pytest."""
    kept = {name: value for name, value in own.items() if not name.startswith(("PYTEST_", "COV_"))}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@contextlib.contextmanager
def started(selection: Selection, output: IO[bytes] | None, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the scenarios; when the context is left early, the process is asked to end its labs, then killed.

    SIGTERM to this process counts as Ctrl-C while the context is open.
    """
    process = subprocess.Popen(
        command(selection, *more),
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=environment(os.environ),
        start_new_session=output is not None,
    )
    with _sigterm_interrupts():
        try:
            yield process
        except BaseException:
            _end(process)
            raise
    process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a run as Ctrl-C would, and kill it if that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_END_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def wait(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    """Wait until one of the processes ends or the time is over."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        for process in processes[:1]:
            process.wait(seconds)
