"""``junit.xml``: the report for continuous-integration systems. An error of the lab is never a failure there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.report.build import Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, e.g. of terminal colours."""
_RESULTS = {Verdict.FAIL: Failure, Verdict.ERROR: Error}


def junit_xml(report: Report) -> str:
    """Return a suite a requirement and a case a test; a requirement without tests has one skipped case."""
    document = JUnitXml(name=report["metadata"]["name"])
    for row in report["rows"]:
        suite = TestSuite(f"{row['id']} {row['title']}")
        suite.timestamp = report["run"]["startedAt"].removesuffix("Z")
        suite.add_property("level", row["level"])
        suite.add_property("profile", row["profile"])
        suite.add_property("feature", row["feature"])
        suite.add_property("verdict", row["verdict"])
        for test in row["tests"] or [_placeholder(row)]:
            suite.add_testcase(_case(row, test))
        document.add_testsuite(suite)
    if report["harnessErrors"]:
        document.add_testsuite(_harness(report["harnessErrors"]))
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode() + "\n"


def _case(row: Mapping[str, Any], test: Mapping[str, Any]) -> TestCase:
    case = TestCase(test["test"].rpartition("::")[2], classname=row["id"], time=test["seconds"])
    if test["evidence"]:
        case.system_out = "".join(f"evidence: {path}\n" for path in test["evidence"])
    verdict = Verdict(test["verdict"])
    message = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", test["message"])
    if verdict is Verdict.PASS:
        return case
    kind = _RESULTS.get(verdict, Skipped)
    summary = message.strip().partition("\n")[0] or row["reason"]
    result = kind(summary if kind is not Skipped else f"{verdict.value}: {summary}")
    result.text = message
    case.result = [result]
    return case


def _placeholder(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"test": row["id"], "verdict": row["verdict"], "seconds": 0.0, "message": row["reason"], "evidence": []}


def _harness(errors: list[str]) -> TestSuite:
    suite = TestSuite("harness")
    for error in errors:
        case = TestCase("harness", classname="l3conf")
        case.result = [Error(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", error))]
        suite.add_testcase(case)
    return suite
