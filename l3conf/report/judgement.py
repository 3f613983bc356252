"""Judging recorded events: rows, overall verdict, errors of the harness. Pure.

The same events and rules give the same judgement, whatever the order of files. ``report.verify`` relies on that: it
judges the events of a finished report again and compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.report.events import EventFile, HarnessFailed, HookCalled, TestFinished, TestRepeated, tests_by_row
from l3conf.spec.catalogue import load_requirements
from l3conf.verdict import Claims, Conditions, Exemption, Verdict, judge_row, judge_run, judge_test

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from l3conf.spec.catalogue import Requirement
    from l3conf.verdict import RunVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What rows are judged by, besides their tests."""

    claims: Claims
    exemptions: tuple[Exemption, ...]
    today: dt.date
    loosened: tuple[str, ...]
    filtered: bool


def judge(rules: Rules, files: Sequence[EventFile], *, evidence: set[str]) -> dict[str, Any]:
    """Return the parts of a report that are judgement: rows, overall verdict, errors of the harness."""
    ordered = sorted(files, key=lambda file: file.worker)
    errors = _harness_errors(ordered, evidence)
    tests = _tests(ordered)
    collected = tests_by_row(ordered)
    rows, verdicts = [], {}
    for requirement in load_requirements():
        declared = [tests.get(test, _not_run(test)) for test in sorted(collected.get(requirement.id, ()))]
        verdict = judge_row(
            requirement,
            (Verdict(test["verdict"]) for test in declared),
            claims=rules.claims,
            exemptions=rules.exemptions,
            today=rules.today,
        )
        verdicts[requirement.id] = verdict
        rows.append(_row(requirement, verdict, declared, rules.claims))
    conditions = Conditions(filtered=rules.filtered, loosened=rules.loosened, harness_errors=tuple(errors))
    run = judge_run(verdicts, rows=load_requirements(), claims=rules.claims, conditions=conditions)
    return {"verdict": _verdict_json(run, verdicts, rules.claims), "rows": rows, "harnessErrors": errors}


def evidence_paths(files: Iterable[EventFile]) -> list[str]:
    """Return every evidence path that events name, once, in order."""
    found: set[str] = set()
    for event in (event for file in files for event in file.events):
        if isinstance(event, TestFinished | TestRepeated | HookCalled):
            found.update(event.evidence)
    return sorted(found)


def _verdict_json(run: RunVerdict, verdicts: Mapping[str, Verdict], claims: Claims) -> dict[str, Any]:
    core = [row for row in load_requirements() if row.core and row.profile == "core" and claims.bind(row)]
    counts = {verdict.value: 0 for verdict in Verdict}
    for verdict in verdicts.values():
        counts[verdict.value] += 1
    return {
        "overall": run.overall.value,
        "exitCode": run.exit_code,
        "reasons": list(run.reasons),
        "core": {"passed": sum(verdicts[row.id] is Verdict.PASS for row in core), "mandatory": len(core)},
        "counts": counts,
    }


def _row(
    requirement: Requirement,
    verdict: Verdict,
    tests: Sequence[Mapping[str, Any]],
    claims: Claims,
) -> dict[str, Any]:
    return {
        "id": requirement.id,
        "title": requirement.title,
        "level": requirement.level.value,
        "profile": requirement.profile,
        "feature": requirement.feature,
        "support": requirement.support.value,
        "mandatory": claims.bind(requirement),
        "verdict": verdict.value,
        "reason": _row_reason(verdict, tests),
        "measured": _slowest(test["measured"] for test in tests),
        "tests": list(tests),
    }


def _row_reason(verdict: Verdict, tests: Sequence[Mapping[str, Any]]) -> str:
    """Say in one line why a row did not pass: the first test that made it so, else why none could."""
    if verdict is Verdict.PASS:
        return ""
    for test in tests:
        if test["verdict"] == verdict.value and test["message"]:
            return f"{test['test'].rpartition('::')[2]}: {test['message'].strip().splitlines()[0]}"
    return {
        Verdict.NOT_RUN: "some of its tests were not run" if tests else "no test of it was collected",
        Verdict.UNSUPPORTED: "not claimed",
        Verdict.EXEMPT: "waived by an exemption",
    }.get(verdict, "")


def _tests(files: Iterable[EventFile]) -> dict[str, dict[str, Any]]:
    events: dict[str, list[TestFinished]] = {}
    for event in (event for file in files for event in file.events):
        if isinstance(event, TestFinished):
            events.setdefault(event.test, []).append(event)
    return {test: _test(test, found) for test, found in events.items()}


def _test(test: str, events: Sequence[TestFinished]) -> dict[str, Any]:
    """Join the events of one test: its verdict, and what the event that decided it says."""
    verdict = judge_test(event.verdict for event in events)
    deciding = next((event for event in events if event.verdict is verdict), events[0])
    return {
        "test": test,
        "verdict": verdict.value,
        "topology": deciding.topology,
        "parameters": dict(sorted(deciding.parameters.items())),
        "phase": deciding.phase,
        "message": deciding.message,
        "seconds": round(sum(event.seconds for event in events), 3),
        "measured": _slowest(event.measured for event in events),
        "evidence": sorted({path for event in events for path in event.evidence}),
    }


def _not_run(test: str) -> dict[str, Any]:
    return {
        "test": test,
        "verdict": Verdict.NOT_RUN.value,
        "topology": "",
        "parameters": {},
        "phase": "",
        "message": "",
        "seconds": 0.0,
        "measured": {},
        "evidence": [],
    }


def _slowest(measured: Iterable[Mapping[str, float]]) -> dict[str, float]:
    slowest: dict[str, float] = {}
    for values in measured:
        for name, seconds in values.items():
            slowest[name] = max(slowest.get(name, 0.0), round(seconds, 4))
    return dict(sorted(slowest.items()))


def _harness_errors(files: Iterable[EventFile], evidence: set[str]) -> list[str]:
    listed = list(files)
    errors = [problem for file in listed for problem in file.problems]
    errors += [event.message for file in listed for event in file.events if isinstance(event, HarnessFailed)]
    errors += [f"evidence {path} is missing" for path in evidence_paths(listed) if path not in evidence]
    return errors or ([] if listed else ["no worker wrote any event"])
