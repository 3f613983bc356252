"""Where a report is published, and what forbids it: the rules of ``reports/README.md``. Pure.

A published report is read by people who were not there. So a run that left something out, asked for less than the
table, or broke on its way is run again instead, whatever it says. A failure that was soundly found is published like
a pass.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from l3conf.report.output import EVENTS, EVIDENCE, READINGS, REPORT
from l3conf.spec.budgets import Budgets
from l3conf.spec.catalogue import load_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from l3conf.report.build import Report
    from l3conf.report.verify import Verification

MAX_BYTES = 16 * 1024 * 1024
"""Of one published folder: every clone of the repository carries it for good."""
BADGES = ("badge.json", "badge.svg")
"""Written last, and only if the folder verified: without them ``certify`` did not end."""
_FOLDERS = frozenset({EVENTS, EVIDENCE})
_SHOWN = 5
"""Contradictions of one report that are named; ``l3conf verify`` names all."""
_CLOCK_SKEW = dt.timedelta(hours=24)
"""Clocks of machines differ; a day that has not come is no mistake of theirs."""


class EntryKind(enum.Enum):
    """What lies under a name."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "link or device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something in a report's folder."""

    path: str
    """Relative to the folder, with slashes."""
    kind: EntryKind = EntryKind.FILE
    size: int = 0
    """Bytes of a file."""
    leaks: bool = False
    """Whether its text holds what looks like a credential."""


def home(report: Report) -> PurePosixPath:
    """Return where a report belongs below ``reports/``: ``<specification>/<organization>-<project>/<lab>-…``.

    The last part names the kind of lab, the version under test and the end of the run, so that runs do not meet.
    """
    implementation, run = report["implementation"], report["run"]
    finished = re.sub(r"[-:]", "", run["finishedAt"])
    owner = _slug(f"{implementation['organization']}-{implementation['name']}".lower().replace(".", "-"))
    return PurePosixPath(run["specVersion"], owner, f"{run['lab']}-{_slug(implementation['version'])}-{finished}")


def objections(verification: Verification, entries: Sequence[Entry], *, now: dt.datetime) -> list[str]:
    """Return everything that forbids a report to be published; empty if nothing does.

    ``entries`` are all that lies in its folder.
    """
    if verification.problems:
        return list(_contradictions(verification))
    report = verification.report
    return [*_of_the_run(report, now), *_of_the_files(report, entries)]


def _contradictions(verification: Verification) -> Iterator[str]:
    """Yield what is not intact; where the table of requirements has changed since, that is the cause of all else."""
    if _is_outdated(verification.report):
        yield "the requirements or budgets have changed since; run it again"
        return
    yield from (f"not intact: {problem}" for problem in verification.problems[:_SHOWN])
    if len(verification.problems) > _SHOWN:
        yield f"not intact: {len(verification.problems) - _SHOWN} contradictions more; l3conf verify shows all"


def _is_outdated(report: Report) -> bool:
    try:
        rows = {row["id"] for row in report["rows"]}
        budgets = {budget["name"] for budget in report["run"]["budgets"]}
    except (KeyError, TypeError):
        return False
    return rows != {row.id for row in load_requirements()} or budgets != Budgets.default().table.keys()


def _of_the_run(report: Report, now: dt.datetime) -> Iterator[str]:
    run = report["run"]
    if not _slug(report["implementation"]["organization"]):
        yield "it names no organization; write spec.organization into the implementation file and run it again"
    if run["filter"]:
        yield f"the run was filtered ({run['filter']}); run it whole"
    loosened = [budget["name"] for budget in run["budgets"] if budget["loosened"]]
    if loosened:
        yield f"budgets were loosened ({', '.join(loosened)}); run it on a machine that is quick enough"
    if report["harnessErrors"]:
        yield f"lab or suite broke ({report['harnessErrors'][0]}); run it again"
    if dt.datetime.fromisoformat(run["finishedAt"]) > now + _CLOCK_SKEW:
        yield f"it ended on {run['finishedAt']}, which has not come; set the clock and run it again"


def _of_the_files(report: Report, entries: Sequence[Entry]) -> Iterator[str]:
    files = {entry.path for entry in entries if entry.kind is EntryKind.FILE}
    named = {entry["path"] for entry in (*report["events"], *report["evidence"])}
    yield from (f"{name}: missing; certify did not end" for name in BADGES if name not in files)
    for entry in sorted(entries, key=lambda entry: entry.path):
        if entry.kind is EntryKind.OTHER:
            yield f"{entry.path}: is a link or a device; only files are published"
        elif entry.kind is EntryKind.FILE and entry.path not in {REPORT, *READINGS, *named}:
            yield f"{entry.path}: the report does not name it; remove it"
        elif entry.kind is EntryKind.FOLDER and not _holds(entry.path, named):
            yield f"{entry.path}: holds nothing that the report names; remove it"
        if entry.leaks:
            yield f"{entry.path}: holds what looks like a credential; mend what wrote it and run it again"
    size = sum(entry.size for entry in entries)
    if size > MAX_BYTES:
        yield f"it has {size} bytes, more than {MAX_BYTES}; run it again with --evidence failures or none"


def _holds(folder: str, named: Iterable[str]) -> bool:
    return folder in _FOLDERS or any(path.startswith(f"{folder}/") for path in named)


def _slug(text: str) -> str:
    """Return a text as a part of a path that no file system and no URL dislikes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
