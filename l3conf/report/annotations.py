"""What broke, as the lines that GitHub shows beside a change.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions. GitLab and most others show
``junit.xml`` by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.model.baseline import KnownFailure
    from l3conf.report.build import Report

MOST = 10
"""Annotations of one kind that GitHub shows of one step; the last of them says how many more there are."""
_LINES = 8
"""Lines of a message; the report has them all."""
_KINDS = {Verdict.FAIL: "error", Verdict.ERROR: "warning"}
"""The implementation's fault is an error; what the lab or the suite broke is nobody's fault here."""


def github_annotations(report: Report, known: Mapping[str, KnownFailure] | None = None) -> Iterator[str]:
    """Yield workflow commands: the verdict, then what failed and what broke, each test once.

    Failures of rows that are ``known`` to fail are notices; the verdict, and so the job, is what it is.
    """
    verdict, implementation = report["verdict"], report["implementation"]
    said = "\n".join([_score(verdict), *verdict["reasons"]])
    yield _command("notice", f"{implementation['name']} {implementation['version']}: {verdict['overall']}", said)
    tests: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for row in report["rows"]:
        for test in row["tests"]:
            tests.setdefault(test["test"], (row, test))
    for broken, kind in _KINDS.items():
        found = [(row, test) for row, test in tests.values() if test["verdict"] == broken.value]
        if broken is Verdict.FAIL and known:
            yield from (_known(row, test, known[row["id"]]) for row, test in found if row["id"] in known)
            found = [(row, test) for row, test in found if row["id"] not in known]
        shown = found if len(found) <= MOST else found[: MOST - 1]
        yield from (_command(kind, _title(row, test), _message(test)) for row, test in shown)
        if len(shown) < len(found):
            yield _command(
                kind, f"{len(found) - len(shown)} more", "The summary of this job and report.json have them all."
            )


def _known(row: Mapping[str, Any], test: Mapping[str, Any], failure: KnownFailure) -> str:
    why = f"{failure.reason} ({failure.link}, until {failure.expires})"
    return _command("notice", f"{_title(row, test)}, as is known", why)


def _score(verdict: Mapping[str, Any]) -> str:
    core = verdict["core"]
    return f"{core['passed']} of {core['mandatory']} mandatory core requirements proved."


def _title(row: Mapping[str, Any], test: Mapping[str, Any]) -> str:
    where = f" on {test['topology']}" if test["topology"] else ""
    return f"{row['id']} {row['title']}: {test['verdict']}{where}"


def _message(test: Mapping[str, Any]) -> str:
    lines = test["message"].splitlines()
    return "\n".join([test["test"].rpartition("::")[2], *lines[:_LINES], *(["…"] if len(lines) > _LINES else [])])


def _command(kind: str, title: str, message: str) -> str:
    escaped = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={escaped}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
