"""Verification of a finished report, offline: nothing but its folder is needed.

What is not written down is judged again: rows and overall verdict from the recorded events, the badge and the other
readings from the report. Whatever differs is named; a report that somebody improved does not survive.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.errors import InvalidFileError
from l3conf.report import output
from l3conf.report.badge import badge_json, badge_svg
from l3conf.report.build import recorded
from l3conf.report.events import read_all_events
from l3conf.report.facts import budgets_json
from l3conf.report.judgement import Rules, evidence_paths, judge
from l3conf.report.junit import junit_xml
from l3conf.report.redaction import redact_all
from l3conf.report.summary import summary_markdown
from l3conf.spec.budgets import Budgets
from l3conf.spec.problems import field_name
from l3conf.spec.schema_files import schema_problems
from l3conf.spec.version import SPEC_VERSION
from l3conf.verdict import Claims, Exemption, Overall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from l3conf.report.build import Report
    from l3conf.report.events import EventFile
    from l3conf.spec.problems import FieldPath

MAX_BYTES = 64 * 1024 * 1024
"""A report of every requirement on ten topologies has about one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verification found."""

    report: Report
    problems: tuple[str, ...] = ()
    """Every place where the folder contradicts itself; empty if it is intact."""
    remarks: tuple[str, ...] = field(default=())
    """What an intact report still says against itself: filter, loosened budgets."""

    @property
    def overall(self) -> Overall:
        """The verdict; a report that is not intact proves nothing."""
        return Overall.INCOMPLETE if self.problems else Overall(self.report["verdict"]["overall"])


def verify_report(directory: Path) -> Verification:
    """Verify the report in a folder; ``InvalidFileError`` if there is none that can be read at all."""
    report = load_report(directory)
    wrong = [f"report.json: {field_name(p.path)}: {p.what}" for p in schema_problems("conformance-report", report)]
    if wrong:
        return Verification(report=report, problems=tuple(wrong))
    if report["run"]["specVersion"] != SPEC_VERSION:
        raise InvalidFileError(
            f"is about specification {report['run']['specVersion']}, this l3conf knows {SPEC_VERSION}",
            where=str(directory / output.REPORT),
            remedy="verify it with the l3conf that it names under run.versions",
        )
    files = read_all_events(directory / output.EVENTS)
    problems = [
        *_file_problems(directory, report, files),
        *_judgement_problems(report, files),
        *_budget_problems(report),
        *_reading_problems(directory, report),
    ]
    return Verification(report=report, problems=tuple(problems), remarks=tuple(_remarks(report)))


def load_report(directory: Path) -> Report:
    """Read report.json; ``InvalidFileError`` if that is impossible."""
    path = directory / output.REPORT
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidFileError(f"is larger than {MAX_BYTES} bytes", where=str(path), remedy="check the path")
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "give the folder that `l3conf certify -o` wrote"
        raise InvalidFileError(f"cannot be read: {error.strerror}", where=str(path), remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        raise InvalidFileError(f"is no JSON: {error}", where=str(path), remedy="write the report anew") from error
    if not isinstance(report, dict):
        raise InvalidFileError("is no JSON object", where=str(path), remedy="write the report anew")
    return report


def _file_problems(directory: Path, report: Report, files: list[EventFile]) -> Iterator[str]:
    """Compare the recorded digests with the files, and the files with what ought to be recorded."""
    for entry in (*report["events"], *report["evidence"]):
        path = entry["path"]
        found = output.digest(directory, path) if output.is_inside(directory, path) else None
        if found is None:
            yield f"{path}: missing"
        elif found.sha256 != entry["sha256"] or found.size != entry["bytes"]:
            yield f"{path}: changed since the report was written"
    recorded = {entry["path"] for entry in report["events"]}
    for file in files:
        path = f"{output.EVENTS}/{file.worker}.jsonl"
        if path not in recorded:
            yield f"{path}: not in the report"
    unnamed = {entry["path"] for entry in report["evidence"]} - set(evidence_paths(files))
    yield from (f"{path}: named by no event" for path in sorted(unnamed))


def _judgement_problems(report: Report, files: list[EventFile]) -> Iterator[str]:
    evidence = {entry["path"] for entry in report["evidence"]}
    judged = redact_all({**judge(rules_of(report), files, evidence=evidence), **recorded(files)})
    for part, value in judged.items():
        yield from (f"report.json: {difference}" for difference in _differences(report[part], value, (part,)))


def rules_of(report: Report) -> Rules:
    """Return what a report says it was judged by."""
    implementation, run = report["implementation"], report["run"]
    exemptions = [
        Exemption(**{**exemption, "expires": dt.date.fromisoformat(exemption["expires"])})
        for exemption in implementation["exemptions"]
    ]
    return Rules(
        claims=Claims(profiles=frozenset(implementation["profiles"]), features=frozenset(implementation["features"])),
        exemptions=tuple(exemptions),
        today=dt.datetime.fromisoformat(run["finishedAt"]).date(),
        loosened=tuple(sorted(budget["name"] for budget in run["budgets"] if budget["loosened"])),
        filtered=bool(run["filter"]),
    )


def _budget_problems(report: Report) -> Iterator[str]:
    """Defaults and flags must be those of the published table, else loosening could be hidden."""
    recorded = {budget["name"]: budget["seconds"] for budget in report["run"]["budgets"]}
    table = Budgets.default()
    if recorded.keys() != table.table.keys():
        odd = sorted(recorded.keys() ^ table.table.keys())
        yield f"report.json: run.budgets: not the published table: {', '.join(odd)}"
        return
    expected = budgets_json(table.with_overrides(recorded))
    found = _differences(report["run"]["budgets"], expected, ("run", "budgets"))
    yield from (f"report.json: {difference}" for difference in found)


def _reading_problems(directory: Path, report: Report) -> Iterator[str]:
    """Make every reading anew and compare; badges may be missing (they are written last), not different."""
    readings = {
        "junit.xml": junit_xml(report),
        "summary.md": summary_markdown(report),
        "badge.json": badge_json(report),
        "badge.svg": badge_svg(report),
    }
    for name, expected in readings.items():
        try:
            found = (directory / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            if not name.startswith("badge."):
                yield f"{name}: missing"
        except (OSError, ValueError) as error:
            yield f"{name}: cannot be read: {error}"
        else:
            if found != expected:
                yield f"{name}: does not say what the report says"


def _remarks(report: Report) -> Iterator[str]:
    if report["run"]["filter"]:
        yield f"filtered: {report['run']['filter']}"
    for budget in report["run"]["budgets"]:
        if budget["loosened"]:
            yield f"loosened: {budget['name']} {budget['default']:g} s → {budget['seconds']:g} s"


def _differences(found: Any, expected: Any, path: FieldPath) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Name the places where two JSON values differ, as deep as both have the same shape."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in expected:
            yield from _differences(found[key], expected[key], (*path, key))
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, (left, right) in enumerate(zip(found, expected, strict=True)):
            yield from _differences(left, right, (*path, index))
    elif found != expected:
        yield f"{field_name(path)}: says {_short(found)}, the events say {_short(expected)}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - a line of a terminal
