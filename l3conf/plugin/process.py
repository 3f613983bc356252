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
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from l3conf.errors import UserError
from l3conf.labs import LASTING
from l3conf.plugin.caller import CALLER
from l3conf.plugin.options import Evidence
from l3conf.plugin.run import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from l3conf.labs.existing.settings import ExistingSettings
    from l3conf.labs.kind.settings import KindSettings

_PLUGINS = ("l3conf.plugin", "xdist.plugin")
_END_GRACE = 20.0
"""Seconds that an interrupted run gets to end its labs."""
_LASTING_GRACE = 420.0
"""Likewise where it takes away what it made on clusters that exist: a hook, and namespaces of which pods are to end."""


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
    existing: ExistingSettings | None = None
    """The clusters of ``--on existing``."""
    of_kind: KindSettings | None = None
    """The clusters of ``--on kind``."""
    brief: bool = False
    """Each test on the first of its grounds, with few nodes (``plugin.options``)."""
    workers: int = 0
    """xdist workers; 0: none, nor are there any on clusters that exist, where one lab stands at a time."""
    evidence: Evidence = Evidence.FAILURES
    """Of which tests files are kept."""
    allure: Path | None = None
    """Folder for results that Allure shows."""

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
        if self.workers and self.lab_kind not in LASTING:
            words += ["-n", str(self.workers), "--dist", "loadgroup", "--max-worker-restart", "2"]
        for ground in (self.existing, self.of_kind):
            words += ground.words() if ground is not None else []
        if self.brief:
            words.append("--brief")
        return [*words, *self._what_is_kept()]

    def _what_is_kept(self) -> Iterator[str]:
        if self.evidence is not Evidence.FAILURES:
            yield from ("--evidence", self.evidence.value)
        if self.allure is not None:
            yield from ("-p", "allure_pytest.plugin", "--alluredir", str(self.allure.absolute()))


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


def run_environment(scratch: Path) -> dict[str, str]:
    """Return the whole environment of a run that this process starts."""
    # Libraries leave temporary files behind when they are killed; in scratch they go with the rest.
    return {**environment(os.environ), SCRATCH: str(scratch), "TMPDIR": str(scratch), CALLER: str(os.getpid())}


def launch(selection: Selection, output: IO[bytes] | None, scratch: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start the scenarios; what they print goes to ``output``, or to the caller's terminal.

    ``scratch`` is the caller's to remove, when the process has ended.
    """
    with _interruptible():
        return subprocess.Popen(
            [*command(selection, *more), "--basetemp", str(scratch / "pytest")],
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            env=run_environment(scratch),
            start_new_session=output is not None,
        )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let processes started meanwhile hear SIGINT: a shell ignores it for what it runs in the background.

    Ignored signals are inherited, and a run that cannot be interrupted would leave its labs behind.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class Running(Protocol):
    """A process, as far as it is ended here."""

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""

    def send_signal(self, number: int, /) -> None:
        """Signal it."""

    def wait(self, timeout: float) -> int:
        """Wait for its end; ``subprocess.TimeoutExpired`` if that takes too long."""

    def kill(self) -> None:
        """End it at once."""


def end(process: Running, grace: float = _END_GRACE) -> None:
    """Interrupt a run as Ctrl-C would, so that it ends its labs, and kill it if that does not help. Idempotent."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_GRACE)


@contextlib.contextmanager
def started(selection: Selection, output: IO[bytes] | None, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the scenarios while the context is open, and end them when it is left early.

    SIGTERM to this process counts as Ctrl-C meanwhile.
    """
    with sigterm_interrupts(), tempfile.TemporaryDirectory(prefix="l3conf-run-", ignore_cleanup_errors=True) as scratch:
        process = launch(selection, output, Path(scratch), *more)
        try:
            yield process
        except BaseException:
            end(process, _LASTING_GRACE if selection.lab_kind in LASTING else _END_GRACE)
            raise
        process.wait()


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C while the context is open, so that labs are ended in order."""

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
