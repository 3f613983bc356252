"""Events of all workers and facts of the run become one ConformanceReport. Pure but for kernel and versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from l3conf.report.events import HookCalled, LabFacts, TestRepeated
from l3conf.report.facts import implementation_json, run_json
from l3conf.report.judgement import Rules, judge
from l3conf.report.redaction import redact_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from l3conf.report.events import EventFile
    from l3conf.report.facts import RunFacts

Report: TypeAlias = dict[str, Any]
"""A ConformanceReport as JSON (``spec/schemas/conformance-report.schema.json``)."""

API_VERSION = "l3conf.io/v1alpha1"
KIND = "ConformanceReport"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """A file beside the report."""

    path: str
    """Relative to the output directory."""
    sha256: str
    size: int
    """Bytes."""


def build_report(
    facts: RunFacts,
    files: Sequence[EventFile],
    *,
    event_digests: Iterable[FileDigest],
    evidence: Iterable[FileDigest],
) -> Report:
    """Make the report of a run.

    ``evidence`` are the files that exist of those that events name; one that is missing is an error of the harness.
    """
    rules = Rules(
        claims=facts.claims,
        exemptions=facts.exemptions,
        today=facts.today,
        loosened=facts.budgets.loosened,
        filtered=bool(facts.filter),
    )
    kept = sorted(evidence, key=lambda file: file.path)
    report: Report = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": f"{facts.implementation.name}-{facts.implementation.version}-{facts.lab}"},
        "implementation": implementation_json(facts),
        "run": run_json(facts),
        **judge(rules, files, evidence={file.path for file in kept}),
        **recorded(files),
        "events": _digests(sorted(event_digests, key=lambda file: file.path)),
        "evidence": _digests(kept),
    }
    redacted: Report = redact_all(report)
    return redacted


def recorded(files: Sequence[EventFile]) -> dict[str, Any]:
    """Return the parts of a report that repeat events without judging them."""
    repeats = _repeats(files)
    return {"labs": _labs(files), "hooks": _hooks(files), **({"repeats": repeats} if repeats else {})}


def _labs(files: Iterable[EventFile]) -> list[dict[str, Any]]:
    labs = [
        {"worker": file.worker, "topology": e.topology, "seconds": round(e.seconds, 3), "facts": dict(e.facts)}
        for file in files
        for e in file.events
        if isinstance(e, LabFacts)
    ]
    return sorted(labs, key=lambda lab: (str(lab["topology"]), str(lab["worker"])))


def _hooks(files: Iterable[EventFile]) -> list[dict[str, Any]]:
    return [
        {
            "worker": file.worker,
            "verb": e.verb,
            "cluster": e.cluster,
            "exitCode": e.exit_code,
            "seconds": round(e.seconds, 3),
            "message": e.message,
            "evidence": list(e.evidence),
        }
        for file in sorted(files, key=lambda file: file.worker)
        for e in file.events
        if isinstance(e, HookCalled)
    ]


def _repeats(files: Iterable[EventFile]) -> list[dict[str, Any]]:
    repeats = [
        {"test": e.test, "rows": list(e.rows), "message": e.message, "evidence": list(e.evidence)}
        for file in files
        for e in file.events
        if isinstance(e, TestRepeated)
    ]
    return sorted(repeats, key=lambda repeat: str(repeat["test"]))


def _digests(files: Iterable[FileDigest]) -> list[dict[str, Any]]:
    return [{"path": file.path, "sha256": file.sha256, "bytes": file.size} for file in files]
