"""Two reports differ by the rows whose verdict changed, and by nothing that did not."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.cli.main import run_command
from l3conf.report.diff import Direction, RowChange, diff_reports
from l3conf.report.events import EventWriter, RunStarted, WorkerFinished
from l3conf.report.output import assemble, prepare_output, write_report
from l3conf.tests.report.conftest import F1, F1_TCP, F5, finished
from l3conf.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.report.facts import RunFacts


def with_verdict(report: dict[str, Any], requirement: str, verdict: str) -> dict[str, Any]:
    changed = copy.deepcopy(report)
    next(row for row in changed["rows"] if row["id"] == requirement)["verdict"] = verdict
    return changed


def test_a_report_does_not_differ_from_itself(ran: Path, facts: RunFacts) -> None:
    report = assemble(ran, facts)
    found = diff_reports(report, copy.deepcopy(report))
    assert (found.rows, found.ground) == ((), ())


def test_changed_rows_are_named_in_the_order_of_the_specification(ran: Path, facts: RunFacts) -> None:
    report = assemble(ran, facts)
    worse = with_verdict(with_verdict(report, "L3-F10", "fail"), "L3-F9", "untestable")
    found = diff_reports(report, worse)
    assert [row.requirement for row in found.rows] == ["L3-F9", "L3-F10"]
    assert [row.requirement for row in found.regressions] == ["L3-F10"]


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(Verdict, 2)))
def test_every_way_into_a_proof_is_an_improvement_and_back_a_regression(before: Verdict, after: Verdict) -> None:
    forth = RowChange(requirement="L3-F1", title="", before=before, after=after, reason="").direction
    back = RowChange(requirement="L3-F1", title="", before=after, after=before, reason="").direction
    if {before, after} & {Verdict.PASS, Verdict.FAIL}:
        assert {forth, back} == {Direction.REGRESSION, Direction.IMPROVEMENT}
    else:
        assert forth is back is Direction.OTHER


def test_a_row_that_vanished_is_a_regression(ran: Path, facts: RunFacts) -> None:
    report = assemble(ran, facts)
    less = copy.deepcopy(report)
    less["rows"] = [row for row in less["rows"] if row["id"] != "L3-F1"]
    assert [row.requirement for row in diff_reports(report, less).regressions] == ["L3-F1"]


def test_another_ground_is_remarked(ran: Path, facts: RunFacts) -> None:
    report = assemble(ran, facts)
    other = copy.deepcopy(report)
    other["run"]["lab"] = "kind"
    assert diff_reports(report, other).ground == ("run.lab: emulated → kind",)


def test_the_command_fails_on_regressions_if_asked(
    ran: Path, facts: RunFacts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(ran, facts)
    worse = tmp_path / "worse"
    prepare_output(worse)
    with EventWriter(worse / "events" / "gw0.jsonl") as writer:
        writer.write(RunStarted(tests={F1: ["L3-F1"], F1_TCP: ["L3-F1"], F5: ["L3-F5"]}))
        writer.write(finished(F1, "pass"))
        writer.write(finished(F1_TCP, "fail", message="timeout"))
        writer.write(finished(F5, "pass"))
        writer.write(WorkerFinished(exit_code=1))
    write_report(worse, facts)
    assert run_command(["diff", str(ran), str(worse)]) == 0
    assert "L3-F1\tpass\tfail\tregression\ttest_pods_reach_pods[tcp]: timeout" in capsys.readouterr().out
    assert run_command(["diff", str(ran), str(worse), "--fail-on", "regression", "--json"]) == 1
    (worse / "events" / "gw0.jsonl").unlink()
    assert run_command(["diff", str(ran), str(worse)]) == 3


def test_the_verify_command_says_what_is_broken(ran: Path, facts: RunFacts, capsys: pytest.CaptureFixture[str]) -> None:
    write_report(ran, facts)
    assert run_command(["verify", str(ran)]) == 1
    assert capsys.readouterr().out.startswith("intact: mylink 1.4.0 on emulated: NON-CONFORMANT\n")
    (ran / "evidence" / "f5.txt").unlink()
    assert run_command(["verify", str(ran / "report.json")]) == 2
    assert "broken: evidence/f5.txt: missing" in capsys.readouterr().out
