"""``summary.md``: the report on one page, for people and for CI job summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.report.build import Report

MAX_MESSAGE_LINES = 12
"""Lines of a failing test's message; the report has them all."""
_QUIET = {Verdict.NOT_RUN.value, Verdict.UNSUPPORTED.value}
_BROKEN = {Verdict.FAIL.value, Verdict.ERROR.value}


def summary_markdown(report: Report) -> str:
    """Return the page: verdict and why, what broke and where, every row, what was drawn, and how to repeat the run."""
    return "\n".join([*_head(report), *_broken(report), *_rows(report), *_drawn(report), *_ground(report)]) + "\n"


def _head(report: Report) -> Iterator[str]:
    verdict, run, implementation = report["verdict"], report["run"], report["implementation"]
    yield f"# {implementation['name']} {implementation['version']}: {verdict['overall']}"
    yield ""
    yield (
        f"Specification {run['specVersion']}, lab {run['lab']}: {verdict['core']['passed']} of "
        f"{verdict['core']['mandatory']} mandatory core requirements proved."
    )
    for reason in verdict["reasons"]:
        yield f"- {_escape(reason)}"
    yield ""


def _broken(report: Report) -> Iterator[str]:
    tests = {test["test"]: (row, test) for row in report["rows"] for test in row["tests"] if test["verdict"] in _BROKEN}
    if not tests:
        return
    yield "## What broke"
    yield ""
    for name, (row, test) in tests.items():
        where = f", {test['phase']}" if test["phase"] else ""
        yield f"### {row['id']} {row['title']}: {test['verdict']}"
        yield ""
        yield f"`{name}`{where}"
        yield ""
        yield from (f"    {line}" for line in test["message"].splitlines()[:MAX_MESSAGE_LINES])
        yield from (f"- evidence: [{path}]({path})" for path in test["evidence"])
        yield ""
        yield from _pictures(test)


def _rows(report: Report) -> Iterator[str]:
    yield "## Requirements"
    yield ""
    yield "| | level | requirement | verdict | measured |"
    yield "|---|---|---|---|---|"
    quiet: dict[str, list[str]] = {}
    for row in report["rows"]:
        if row["verdict"] in _QUIET and not row["tests"]:
            quiet.setdefault(row["verdict"], []).append(row["id"])
            continue
        yield f"| {row['id']} | {row['level']} | {_escape(row['title'])} | {row['verdict']} | {_measured(row)} |"
    yield ""
    for verdict, ids in quiet.items():
        yield f"{len(ids)} {verdict.replace('_', ' ')}: {', '.join(ids)}"
        yield ""


def _drawn(report: Report) -> Iterator[str]:
    """Show what was drawn of tests that did not break."""
    tests = {test["test"]: test for row in report["rows"] for test in row["tests"] if test["verdict"] not in _BROKEN}
    drawn = [pictures for test in tests.values() if (pictures := list(_pictures(test)))]
    if drawn:
        yield "## Timelines"
        yield ""
        yield from (line for pictures in drawn for line in pictures)


def _pictures(test: Mapping[str, Any]) -> Iterator[str]:
    for path in test["evidence"]:
        if path.endswith(".png"):
            yield f"![{_escape(test['test'].rpartition('::')[2])}]({path})"
            yield ""


def _ground(report: Report) -> Iterator[str]:
    run = report["run"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    yield "## Ground"
    yield ""
    yield f"- {run['startedAt']} to {run['finishedAt']}, seed {run['seed']}, kernel {run['kernel']}, {versions}"
    for topology in run["topologies"]:
        yield f"- topology {topology['name']} (sha256 {topology['sha256'][:12]})"
    yield from (f"- {kind}" for kind in sorted(_tunnels(report)))
    changed = [budget for budget in run["budgets"] if budget["seconds"] != budget["default"]]
    for budget in changed:
        how = "loosened" if budget["loosened"] else "tightened"
        yield f"- budget {budget['name']} {how}: {budget['seconds']:g} s instead of {budget['default']:g} s"
    if run["filter"]:
        yield f"- filter: `{run['filter']}`"
    for repeat in report.get("repeats", ()):
        yield f"- begun anew: `{repeat['test']}`, at first {_escape(repeat['message'])}"
    yield from (f"- error of the harness: {_escape(error)}" for error in report["harnessErrors"])


def _tunnels(report: Report) -> Iterator[str]:
    """Yield, for each link that came to gateways, its kind: whether the kernel carried the packets."""
    links = {
        link
        for lab in report["labs"]
        for name, links in lab["facts"].items()
        if name.startswith("tunnels/")
        for link in str(links).split(", ")
    }
    yield from (f"tunnel {link}" for link in links)


def _measured(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in row["measured"].items())


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
