"""From events to a folder that verifies, and from a changed folder to the name of what was changed."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from l3conf.errors import InvalidFileError, LabError, UserError
from l3conf.report.badge import colour
from l3conf.report.events import HarnessFailed, RunStarted, WorkerFinished
from l3conf.report.output import assemble, prepare_output, write_files, write_report
from l3conf.report.verify import verify_report
from l3conf.spec.budgets import Budgets
from l3conf.spec.catalogue import load_requirements
from l3conf.spec.schema_files import schema_problems
from l3conf.tests.report.conftest import F1, F1_TCP, F5, M1, finished
from l3conf.verdict import Overall

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from l3conf.report.facts import RunFacts

Row = dict[str, Any]


def row(report: dict[str, Any], requirement: str) -> Row:
    found: Row = next(row for row in report["rows"] if row["id"] == requirement)
    return found


def edit(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = directory / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    change(report)
    path.write_text(json.dumps(report), encoding="utf-8")


def test_a_written_report_follows_its_schema_and_verifies(ran: Path, facts: RunFacts) -> None:
    report = write_report(ran, facts)
    assert schema_problems("conformance-report", json.loads((ran / "report.json").read_text(encoding="utf-8"))) == []
    verification = verify_report(ran)
    assert (verification.problems, verification.remarks) == ((), ())
    assert verification.overall is Overall.NON_CONFORMANT
    assert [row["id"] for row in report["rows"]] == [row.id for row in load_requirements()]


def test_the_summary_says_who_carried_the_packets(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    assert "- tunnel wg0 (wireguard)\n" in (ran / "summary.md").read_text(encoding="utf-8")


def test_rows_say_what_their_tests_said(ran: Path, facts: RunFacts) -> None:
    report = assemble(ran, facts)
    assert row(report, "L3-F1")["verdict"] == "pass"
    assert row(report, "L3-F1")["measured"] == {"T_join": 3.25}
    failed = row(report, "L3-F5")
    assert (failed["verdict"], failed["reason"]) == (
        "fail",
        "test_server_sees_the_pod_that_called_it: seen as 172.16.1.10",
    )
    assert row(report, "L3-M1")["verdict"] == row(report, "L3-M2")["verdict"] == "error"
    assert row(report, "L3-F2")["reason"] == "no test of it was collected"
    assert row(report, "L3-B3")["verdict"] == "unsupported"


def test_a_row_is_not_run_while_one_of_its_tests_is_missing(
    output: Path, record: Callable[..., None], facts: RunFacts
) -> None:
    record("gw0", finished(F1, "pass"))
    found = row(assemble(output, facts), "L3-F1")
    assert (found["verdict"], found["reason"]) == ("not_run", "some of its tests were not run")
    assert [test["test"] for test in found["tests"]] == [F1_TCP, F1]


def test_the_split_among_workers_does_not_matter(output: Path, record: Callable[..., None], facts: RunFacts) -> None:
    results = [finished(F1, "pass"), finished(F1_TCP, "pass"), finished(F5, "fail", message="x"), finished(M1, "pass")]
    record("gw0", *results)
    together = assemble(output, facts)
    (output / "events" / "gw0.jsonl").unlink()
    for number, result in enumerate(reversed(results)):
        record(f"gw{number}", result)
    apart = assemble(output, facts)
    assert together["rows"] == apart["rows"]
    assert together["verdict"] == apart["verdict"]


def test_the_same_events_give_the_same_files(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    names = ("report.json", "junit.xml", "summary.md", "badge.json", "badge.svg")
    first = {name: (ran / name).read_bytes() for name in names}
    write_report(ran, facts)
    assert {name: (ran / name).read_bytes() for name in names} == first


@pytest.mark.parametrize(
    "broken",
    ["truncate", "no events at all", "harness event", "evidence gone"],
)
def test_a_broken_harness_is_recorded_and_never_conformant(
    broken: str, output: Path, record: Callable[..., None], facts: RunFacts
) -> None:
    path = output / "events" / "gw0.jsonl"
    if broken != "no events at all":
        extra = [HarnessFailed(message="worker gw1 died")] if broken == "harness event" else []
        evidence = ["evidence/gone.txt"] if broken == "evidence gone" else []
        record("gw0", finished(F1, "pass", evidence=evidence), *extra)
    if broken == "truncate":
        path.write_bytes(path.read_bytes()[:-10])
    report = write_report(output, facts)
    assert report["harnessErrors"]
    assert report["verdict"]["overall"] == "INCOMPLETE"
    assert verify_report(output).problems == ()


def test_secrets_in_messages_reach_no_file(output: Path, record: Callable[..., None], facts: RunFacts) -> None:
    record("gw0", finished(F5, "fail", message="GET failed, Authorization: Bearer 0123456789abcdef"))
    write_report(output, facts)
    for path in (path for path in output.rglob("*") if path.is_file()):
        assert b"0123456789abcdef" not in path.read_bytes()


def test_junit_tells_failures_errors_and_skips_apart(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    root = ET.parse(ran / "junit.xml").getroot()  # noqa: S314 - our own file
    by_row = {suite.get("name", "").split()[0]: suite for suite in root.iter("testsuite")}
    counts = {
        name: (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped"))
        for name, suite in by_row.items()
    }
    assert counts["L3-F1"] == ("2", "0", "0", "0")
    assert counts["L3-F5"] == ("1", "1", "0", "0")
    assert counts["L3-M1"] == ("1", "0", "1", "0")
    assert counts["L3-F2"] == ("1", "0", "0", "1")
    assert len(by_row) == len(load_requirements())


def test_junit_names_the_evidence_of_a_test(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    root = ET.parse(ran / "junit.xml").getroot()  # noqa: S314 - our own file
    told = {case.get("classname"): case.findtext("system-out") for case in root.iter("testcase")}
    assert told["L3-F5"] == "evidence: evidence/f5.txt\n"
    assert told["L3-F1"] is None


def test_junit_survives_what_xml_cannot_hold(output: Path, record: Callable[..., None], facts: RunFacts) -> None:
    record("gw0", finished(F5, "fail", message="\x1b[31mred\x00"))
    write_report(output, facts)
    ET.parse(output / "junit.xml")  # noqa: S314 - our own file


def test_the_summary_shows_verdict_break_and_evidence(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    summary = (ran / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("# mylink 1.4.0: NON-CONFORMANT\n")
    assert "seen as 172.16.1.10" in summary
    assert "[evidence/f5.txt](evidence/f5.txt)" in summary
    assert "seed 7" in summary


@pytest.mark.parametrize(
    ("overall", "lab", "expected"),
    [
        ("CONFORMANT", "kind", "green"),
        ("CONFORMANT", "existing", "green"),
        ("CONFORMANT", "emulated", "blue"),
        ("CONFORMANT", "mininet", "blue"),
        ("NON-CONFORMANT", "kind", "red"),
        ("NON-CONFORMANT", "emulated", "red"),
        ("INCOMPLETE", "kind", "lightgrey"),
        ("INCOMPLETE", "emulated", "lightgrey"),
    ],
)
def test_the_badge_is_green_only_for_conformance_on_real_clusters(overall: str, lab: str, expected: str) -> None:
    assert colour({"verdict": {"overall": overall}, "run": {"lab": lab}}) == expected


def test_the_badge_says_what_was_proved(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    badge = json.loads((ran / "badge.json").read_text(encoding="utf-8"))
    mandatory = sum(row.level.mandatory and row.core and row.profile == "core" for row in load_requirements())
    assert badge == {
        "schemaVersion": 1,
        "label": "L3 v1alpha1",
        "message": f"core 1/{mandatory} · emulated",
        "color": "red",
    }
    ET.parse(ran / "badge.svg")  # noqa: S314 - our own file


def pass_row(report: dict[str, Any]) -> None:
    row(report, "L3-F5")["verdict"] = "pass"


def upgrade(report: dict[str, Any]) -> None:
    report["verdict"].update(overall="CONFORMANT", exitCode=0)


def drop_row(report: dict[str, Any]) -> None:
    report["rows"] = [row for row in report["rows"] if row["id"] != "L3-F5"]


def forget_events(report: dict[str, Any]) -> None:
    report["events"] = report["events"][:1]


def hide_loosening(report: dict[str, Any]) -> None:
    report["run"]["budgets"][0].update(seconds=99, default=99)


def hide_hook(report: dict[str, Any]) -> None:
    report["hooks"] = []


def claim_less(report: dict[str, Any]) -> None:
    report["run"]["filter"] = "-k F1"


def invent_key(report: dict[str, Any]) -> None:
    report["endorsement"] = "excellent"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (pass_row, 'verdict: says "pass", the events say "fail"'),
        (upgrade, "verdict.overall"),
        (drop_row, "report.json: rows"),
        (forget_events, "events/gw1.jsonl: not in the report"),
        (hide_loosening, "run.budgets[0]"),
        (hide_hook, "report.json: hooks"),
        (claim_less, "verdict.reasons"),
        (invent_key, "endorsement: unknown key"),
    ],
)
def test_a_changed_report_does_not_verify(
    change: Callable[[dict[str, Any]], None], named: str, ran: Path, facts: RunFacts
) -> None:
    write_report(ran, facts)
    edit(ran, change)
    verification = verify_report(ran)
    assert any(named in problem for problem in verification.problems), verification.problems
    assert verification.overall is Overall.INCOMPLETE


@pytest.mark.parametrize("name", ["events/gw0.jsonl", "evidence/f5.txt", "summary.md", "badge.json", "badge.svg"])
def test_a_changed_file_beside_the_report_is_named(name: str, ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    path = ran / name
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert any(problem.startswith(name) for problem in verify_report(ran).problems)


@pytest.mark.parametrize("name", ["events/gw1.jsonl", "evidence/f5.txt", "summary.md", "junit.xml"])
def test_a_missing_file_is_named(name: str, ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    (ran / name).unlink()
    assert any(problem.startswith(f"{name}: missing") for problem in verify_report(ran).problems)


def test_evidence_outside_the_folder_is_neither_read_nor_believed(
    tmp_path: Path, output: Path, record: Callable[..., None], facts: RunFacts
) -> None:
    (tmp_path / "private.txt").write_text("secret", encoding="utf-8")
    record("gw0", finished(F1, "pass", evidence=["../private.txt"]))
    report = write_report(output, facts)
    assert report["evidence"] == []
    assert report["harnessErrors"] == ["evidence ../private.txt is missing"]


def test_filter_and_loosened_budgets_are_remarked(ran: Path, facts: RunFacts) -> None:
    budgets = Budgets.default().with_overrides({"T_join": 120, "W_silence": 0.5, "T_detect": 5})
    write_report(ran, replace(facts, filter="-k pods", budgets=budgets))
    assert verify_report(ran).remarks == (
        "filtered: -k pods",
        "loosened: T_join 60 s → 120 s",
        "loosened: W_silence 1 s → 0.5 s",
    )


def test_a_folder_without_a_report_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"report\.json: cannot be read"):
        verify_report(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_report_that_is_no_json_object_is_a_users_mistake(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFileError, match=r"is no JSON"):
        verify_report(tmp_path)


def test_a_report_of_another_specification_is_not_judged_by_this_one(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    edit(ran, lambda report: report["run"].update(specVersion="v9"))
    with pytest.raises(InvalidFileError, match="is about specification v9"):
        verify_report(ran)


def test_files_that_cannot_all_be_written_leave_none(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(LabError, match="cannot be written: File too large"):
            write_files(tmp_path, {"first": "short", "second": "more than fits"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_preparing_an_output_folder_removes_the_former_report(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    prepare_output(ran)
    assert sorted(path.name for path in ran.rglob("*")) == ["events", "evidence"]


def test_other_peoples_files_are_not_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        prepare_output(tmp_path)


def test_a_worker_that_collected_but_ran_nothing_hides_no_row(
    output: Path, record: Callable[..., None], facts: RunFacts
) -> None:
    record("gw0", RunStarted(), WorkerFinished(exit_code=5))
    assert row(assemble(output, facts), "L3-F1")["verdict"] == "not_run"
