"""One run of ``l3conf certify`` in a process of its own, timed, and what its report says."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 2400.0
"""Seconds for one run."""
_NOT_TESTED = frozenset({"not_run", "unsupported"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedRun:
    """A run that ended with a report."""

    seconds: float
    report: dict[str, Any]
    """``report.json``."""

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each row that was tested, by its id."""
        return {row["id"]: row["verdict"] for row in self.report["rows"] if row["verdict"] not in _NOT_TESTED}

    @property
    def core(self) -> str:
        """How many of the mandatory rows of the core profile passed: ``47/47``."""
        core = self.report["verdict"]["core"]
        return f"{core['passed']}/{core['mandatory']}"


def certified(
    impl: Path,
    seed: int,
    *,
    on: str,
    keep: Path | None = None,
    topologies: Sequence[str] = (),
    rows: Sequence[str] = (),
    workers: int | None = None,
) -> CertifiedRun:
    """Certify; the report is kept in the folder ``keep``, if given. ``LabError`` if there is no report.

    With ``topologies`` only the scenarios on these are run, with ``rows`` only these, and the report is INCOMPLETE.
    """
    with tempfile.TemporaryDirectory(prefix="l3conf-bench-") as scratch:
        report = keep or Path(scratch) / "report"
        verb = ["run", *rows] if rows else ["certify"]
        argv = [sys.executable, "-m", "l3conf", *verb, "--impl", str(impl), "--on", on, "--seed", str(seed)]
        argv += ["-n", str(workers)] if workers is not None else []
        argv += [word for name in topologies for word in ("--topology", name)]
        began = time.monotonic()
        ended = subprocess.run([*argv, "-o", str(report)], capture_output=True, text=True, check=False, timeout=TIMEOUT)
        seconds = time.monotonic() - began
        try:
            return CertifiedRun(seconds=seconds, report=json.loads((report / "report.json").read_text()))
        except (OSError, ValueError) as error:
            where = f"--on {on}, seed {seed}"
            raise LabError(f"no report: {ended.stderr.strip()[-500:]}", where=where) from error
