"""Lines for GitHub: everything that broke, once, in words that survive the trip."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from l3conf.cli.main import run_command
from l3conf.model.baseline import KnownFailure
from l3conf.report.annotations import MOST, github_annotations
from l3conf.report.output import assemble, write_report

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from l3conf.report.facts import RunFacts


def broken(verdict: str, number: int = 1, message: str = "it broke") -> dict[str, Any]:
    return {
        "test": f"scenarios/test_a.py::test_{verdict}_{number}",
        "verdict": verdict,
        "topology": "",
        "message": message,
    }


def report_of(*tests: dict[str, Any]) -> dict[str, Any]:
    core = {"passed": 1, "mandatory": 2}
    return {
        "implementation": {"name": "theirs", "version": "1"},
        "verdict": {"overall": "NON-CONFORMANT", "core": core, "reasons": ["L3-A1 failed"]},
        "rows": [
            {"id": "L3-A1", "title": "Kinds, served", "tests": [*tests]},
            {"id": "L3-A2", "title": "B", "tests": [*tests]},
        ],
    }


def test_a_real_report_is_told_with_its_verdict_first(ran: Path, facts: RunFacts) -> None:
    lines = list(github_annotations(assemble(ran, facts)))
    assert lines[0].startswith("::notice title=")
    assert "NON-CONFORMANT" in lines[0]
    assert len(lines) == len(set(lines)) > 1
    assert all("\n" not in line for line in lines)


def test_failures_are_errors_and_what_the_lab_broke_is_a_warning() -> None:
    lines = list(github_annotations(report_of(broken("fail"), broken("error"), broken("pass"), broken("untestable"))))
    assert [line.partition(" ")[0] for line in lines] == ["::notice", "::error", "::warning"]
    assert lines[1] == "::error title=L3-A1 Kinds%2C served%3A fail::test_fail_1%0Ait broke"


def test_a_failure_that_is_known_is_a_notice_and_the_others_stay_errors() -> None:
    failure = KnownFailure(
        requirement="L3-A1", reason="no schemas", link="https://example.com/7", expires=dt.date(2027, 1, 31)
    )
    report = report_of(broken("fail"), broken("error"))
    report["rows"][1]["tests"] = [broken("fail", 2)]
    lines = list(github_annotations(report, {"L3-A1": failure}))
    title = "::notice title=L3-A1 Kinds%2C served%3A fail%2C as is known"
    assert lines[1:] == [
        f"{title}::no schemas (https://example.com/7, until 2027-01-31)",
        "::error title=L3-A2 B%3A fail::test_fail_2%0Ait broke",
        "::warning title=L3-A1 Kinds%2C served%3A error::test_error_1%0Ait broke",
    ]


def test_nothing_in_a_message_ends_a_line_or_the_command() -> None:
    (_, line) = github_annotations(report_of(broken("fail", message="50 %\r\n::error::no")))
    assert line.endswith("::test_fail_1%0A50 %25%0A::error::no")


def test_long_messages_and_many_failures_are_cut_and_say_so() -> None:
    long = "\n".join(map(str, range(100)))
    lines = list(github_annotations(report_of(*(broken("fail", number, long) for number in range(MOST + 5)))))
    assert len(lines) == 1 + MOST
    assert lines[1].endswith("%0A7%0A…")
    assert lines[-1].startswith("::error title=6 more::")
    assert len(list(github_annotations(report_of(*(broken("fail", number) for number in range(MOST)))))) == 1 + MOST


def test_the_command_reads_folder_or_file_and_refuses_anything_else(
    ran: Path, facts: RunFacts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(ran, facts)
    assert run_command(["annotate", str(ran)]) == run_command(["annotate", str(ran / "report.json")]) == 0
    capsys.readouterr()
    (tmp_path / "report.json").write_text("[]")
    for wrong in (tmp_path / "nothing", tmp_path / "report.json"):
        assert run_command(["annotate", str(wrong)]) == 3
        assert "cannot be read as a report" in capsys.readouterr().err
