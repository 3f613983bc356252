"""Known failures are shown as known, and never as anything but failures."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from l3conf.cli.baseline import Known
from l3conf.cli.main import run_command
from l3conf.errors import InvalidFileError, UserError
from l3conf.model.baseline import Baseline, KnownFailure
from l3conf.report.expectation import Standing, compare_with_baseline, expected_failures
from l3conf.report.output import write_report
from l3conf.spec.baseline_file import MOST_DAYS, load_baseline

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.report.build import Report
    from l3conf.report.facts import RunFacts

RUN = dt.date(2026, 1, 15)
"""The day on which the run of the fixtures ended: L3-F1 passed, L3-F5 failed, L3-M1 broke."""

FILE = """
apiVersion: l3conf.io/v1alpha1
kind: Baseline
metadata: {{name: mylink}}
spec:
  version: "1.4.0"
  failures:
    - requirement: {requirement}
      reason: the CNI masquerades
      link: https://example.com/issues/7
      expires: "{expires}"
"""


@pytest.fixture
def report(ran: Path, facts: RunFacts) -> Report:
    return write_report(ran, facts)


def known(requirement: str, *, days: int = 30) -> KnownFailure:
    expires = RUN + dt.timedelta(days=days)
    return KnownFailure(requirement=requirement, reason="why", link="https://example.com/7", expires=expires)


def baseline(*failures: KnownFailure, version: str = "1.4.0", name: str = "mylink") -> Baseline:
    return Baseline(name=name, version=version, failures=failures)


@pytest.mark.parametrize(
    ("failures", "standings", "holds"),
    [
        ((), {"L3-F5": Standing.NEW}, False),
        ((known("L3-F5"),), {"L3-F5": Standing.EXPECTED}, True),
        ((known("L3-F5", days=0),), {"L3-F5": Standing.EXPECTED}, True),
        ((known("L3-F5", days=-1),), {"L3-F5": Standing.EXPIRED}, False),
        ((known("L3-F5"), known("L3-F1")), {"L3-F1": Standing.UNNEEDED, "L3-F5": Standing.EXPECTED}, False),
        ((known("L3-F5"), known("L3-M1")), {"L3-F5": Standing.EXPECTED, "L3-M1": Standing.UNKNOWN}, True),
        ((known("L3-F5"), known("L3-M1", days=-1)), {"L3-F5": Standing.EXPECTED, "L3-M1": Standing.EXPIRED}, False),
        ((known("L3-F5"), known("L3-F2")), {"L3-F2": Standing.UNKNOWN, "L3-F5": Standing.EXPECTED}, True),
    ],
)
def test_every_row_stands_somewhere_to_what_is_known(
    report: Report, failures: tuple[KnownFailure, ...], standings: dict[str, Standing], *, holds: bool
) -> None:
    found = compare_with_baseline(report, baseline(*failures))
    assert {row.requirement: row.standing for row in found.rows} == standings
    assert found.holds is holds


def test_a_known_failure_changes_no_verdict(report: Report) -> None:
    found = compare_with_baseline(report, baseline(known("L3-F5"), known("L3-M1"), known("L3-M2")))
    assert found.holds
    assert found.overall == report["verdict"]["overall"] == "NON-CONFORMANT"


@pytest.mark.parametrize(
    ("other", "mismatch"),
    [
        (baseline(known("L3-F5"), version="1.3.0"), "it was written for 1.3.0, the report is about 1.4.0: look again"),
        (baseline(known("L3-F5"), name="other"), "it is about other, the report about mylink"),
    ],
)
def test_a_baseline_of_something_else_never_holds(report: Report, other: Baseline, mismatch: str) -> None:
    found = compare_with_baseline(report, other)
    assert (found.mismatch, found.holds) == (mismatch, False)


def test_only_what_has_not_expired_is_called_expected() -> None:
    assert list(expected_failures(baseline(known("L3-F5"), known("L3-F1", days=-1)), RUN)) == ["L3-F5"]


@pytest.mark.parametrize(
    ("requirement", "expires", "problem"),
    [
        (
            "L3-F55",
            "2026-03-01",
            "spec.failures[0].requirement: there is no requirement 'L3-F55' (did you mean L3-F5?)",
        ),
        ("L3-F5", "2026-02-30", "spec.failures[0].expires: '2026-02-30' is no day"),
        ("L3-F5", "2030-01-01", "spec.failures[0].expires: 2030-01-01 is more than a year ahead (write 2027-01-16"),
    ],
)
def test_what_a_baseline_must_not_say_is_named(tmp_path: Path, requirement: str, expires: str, problem: str) -> None:
    file = tmp_path / "baseline.yaml"
    file.write_text(FILE.format(requirement=requirement, expires=expires), encoding="utf-8")
    with pytest.raises(InvalidFileError) as caught:
        load_baseline(file, today=RUN)
    assert problem in str(caught.value)


def test_an_entry_may_not_outlive_a_year(tmp_path: Path) -> None:
    file = tmp_path / "baseline.yaml"
    last = RUN + dt.timedelta(days=MOST_DAYS)
    file.write_text(FILE.format(requirement="L3-B1", expires=last), encoding="utf-8")
    assert load_baseline(file, today=RUN).failures[0].expires == last
    file.write_text(FILE.format(requirement="L3-B1", expires=last + dt.timedelta(days=1)), encoding="utf-8")
    with pytest.raises(InvalidFileError):
        load_baseline(file, today=RUN)


def test_one_row_has_one_entry(tmp_path: Path) -> None:
    file = tmp_path / "baseline.yaml"
    text = FILE.format(requirement="L3-F5", expires="2026-03-01")
    file.write_text(text + text[text.index("    - req") :], encoding="utf-8")
    with pytest.raises(InvalidFileError, match="L3-F5 is listed twice"):
        load_baseline(file, today=RUN)


@pytest.mark.parametrize(("requirement", "code"), [("L3-F5", 0), ("L3-F1", 1)])
def test_the_command_ends_with_whether_anything_is_new(
    ran: Path, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str], requirement: str, code: int
) -> None:
    file = tmp_path / "baseline.yaml"
    file.write_text(FILE.format(requirement=requirement, expires="2026-03-01"), encoding="utf-8")
    assert run_command(["baseline", str(ran), str(file)]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(f"the verdict stays {report['verdict']['overall']}")
    assert run_command(["baseline", str(ran), str(file), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["holds"] is (code == 0)


def test_a_report_that_is_not_intact_is_compared_with_nothing(
    ran: Path, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del report
    (ran / "summary.md").write_text("all well\n", encoding="utf-8")
    file = tmp_path / "baseline.yaml"
    file.write_text(FILE.format(requirement="L3-F5", expires="2026-03-01"), encoding="utf-8")
    assert run_command(["baseline", str(ran), str(file)]) == 3
    assert "is not intact" in capsys.readouterr().err


IMPLEMENTATION = """
apiVersion: l3conf.io/v1alpha1
kind: Implementation
metadata: {{name: {name}}}
spec:
  version: "{version}"
  hooks: {{command: ["true"], verbs: [deploy, join, leave, remove]}}
"""


@pytest.mark.parametrize(("version", "expected"), [("1.4.0", ["L3-F5"]), ("1.5.0", [])])
def test_only_failures_of_the_version_that_somebody_looked_at_are_called_known_while_a_run_goes_on(
    tmp_path: Path, version: str, expected: list[str]
) -> None:
    file, implementation = tmp_path / "baseline.yaml", tmp_path / "impl.yaml"
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    file.write_text(FILE.format(requirement="L3-F5", expires=tomorrow), encoding="utf-8")
    implementation.write_text(IMPLEMENTATION.format(name="mylink", version=version), encoding="utf-8")
    assert list(Known.read(file, implementation).expected()) == expected
    assert Known.read(None, implementation).expected() == {}


def test_a_baseline_of_another_implementation_is_refused_before_anything_runs(tmp_path: Path) -> None:
    file, implementation = tmp_path / "baseline.yaml", tmp_path / "impl.yaml"
    file.write_text(FILE.format(requirement="L3-F5", expires="2026-03-01"), encoding="utf-8")
    implementation.write_text(IMPLEMENTATION.format(name="other", version="1"), encoding="utf-8")
    with pytest.raises(UserError, match=r"is about mylink, not other \(give its own baseline\)"):
        Known.read(file, implementation)


def test_a_run_shows_the_comparison_and_changes_nothing_by_it(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    known_ = Known(baseline(known("L3-F5")), applies=True)
    assert known_.compared(report)["baseline"] == {
        "holds": True,
        "overall": "NON-CONFORMANT",
        "mismatch": "",
        "rows": [{"id": "L3-F5", "standing": "expected", "why": "why (https://example.com/7, until 2026-02-14)"}],
    }
    known_.print_compared(report)
    assert capsys.readouterr().out.splitlines()[0].split("\t")[:2] == ["expected", "L3-F5"]
