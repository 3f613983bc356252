"""Reports are published whole, unchanged and where they belong, or not at all."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.cli.main import run_command
from l3conf.errors import InvalidFileError, UserError
from l3conf.report.events import HarnessFailed
from l3conf.report.output import write_report
from l3conf.report.publication import MAX_BYTES, home
from l3conf.report.submission import check_all, examine, lay
from l3conf.spec.budgets import Budgets
from l3conf.tests.report.conftest import F1, F5, finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.report.facts import RunFacts

NOW = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
PLACE = "v1alpha1/example-ltd-mylink/emulated-1.4.0-20260115T120025Z"


@pytest.fixture
def named(facts: RunFacts) -> RunFacts:
    return replace(facts, implementation=replace(facts.implementation, organization="Example Ltd"))


@pytest.fixture
def report(ran: Path, named: RunFacts) -> Path:
    write_report(ran, named)
    return ran


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "README.md").write_text("rules\n", encoding="utf-8")
    return folder


def objections(folder: Path) -> tuple[str, ...]:
    return examine(folder, now=NOW).objections


def test_a_whole_report_is_laid_where_its_own_words_say(report: Path, root: Path) -> None:
    examined = examine(report, now=NOW)
    assert examined.objections == ()
    assert str(examined.home) == PLACE
    assert lay(examined, root)
    copied = {path.relative_to(root / PLACE): path.read_bytes() for path in (root / PLACE).rglob("*") if path.is_file()}
    assert copied == {path.relative_to(report): path.read_bytes() for path in report.rglob("*") if path.is_file()}
    assert [found.objections for found in check_all(root)] == [()]
    assert not list(root.rglob(".*")), "nothing of the copying is left"


def test_submitting_twice_changes_nothing_and_another_report_never_takes_its_place(report: Path, root: Path) -> None:
    examined = examine(report, now=NOW)
    lay(examined, root)
    assert not lay(examined, root)
    (root / PLACE / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="another report lies there"):
        lay(examined, root)


def test_what_a_killed_submission_left_is_cleared_by_the_next_and_named_by_the_check(report: Path, root: Path) -> None:
    partial = root / PLACE.replace("emulated-", ".emulated-")
    partial = partial.with_name(f"{partial.name}.partial")
    partial.mkdir(parents=True)
    (partial / "half").touch()
    assert [found.folder for found in check_all(root) if found.objections] == [partial]
    assert lay(examine(report, now=NOW), root)
    assert not partial.exists()


def test_a_folder_that_changes_while_it_is_copied_is_not_published(report: Path, root: Path) -> None:
    examined = examine(report, now=NOW)
    (report / "summary.md").write_text("CONFORMANT\n", encoding="utf-8")
    with pytest.raises(Exception, match="changed while it was copied"):
        lay(examined, root)
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "README.md"]


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (lambda folder: (folder / "badge.svg").unlink(), "badge.svg: missing"),
        (lambda folder: (folder / "notes.txt").touch(), "notes.txt: the report does not name it"),
        (lambda folder: (folder / "more").mkdir(), "more: holds nothing that the report names"),
        (lambda folder: (folder / "link").symlink_to("report.json"), "link: is a link or a device"),
        (lambda folder: (folder / "evidence" / "f5.txt").unlink(), "not intact: evidence/f5.txt: missing"),
        (lambda folder: (folder / "summary.md").write_text("all well"), "not intact: summary.md: does not say"),
    ],
)
def test_what_is_missing_foreign_or_changed_forbids_publication(
    report: Path, change: Callable[[Path], object], objection: str
) -> None:
    change(report)
    (found,) = objections(report)
    assert found.startswith(objection)


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        ({"filter": "--row L3-F1"}, "the run was filtered"),
        ({"budgets": Budgets.default().with_overrides({"T_join": 90})}, "budgets were loosened (T_join)"),
        ({"finished_at": NOW + dt.timedelta(days=40)}, "which has not come"),
    ],
)
def test_a_run_that_asked_for_less_is_run_again(
    ran: Path, named: RunFacts, change: dict[str, object], objection: str
) -> None:
    write_report(ran, replace(named, **change))  # type: ignore[arg-type]
    (found,) = objections(ran)
    assert objection in found


def test_a_run_that_broke_is_run_again(output: Path, record: Callable[..., None], named: RunFacts) -> None:
    record("gw0", finished(F1, "pass"), HarnessFailed(message="a lab could not be ended"))
    write_report(output, named)
    assert objections(output) == ("lab or suite broke (a lab could not be ended); run it again",)


def test_a_report_without_organization_has_no_place(ran: Path, facts: RunFacts) -> None:
    write_report(ran, facts)
    assert [found.partition(";")[0] for found in objections(ran)] == ["it names no organization"]


def test_credentials_in_evidence_forbid_publication(output: Path, record: Callable[..., None], named: RunFacts) -> None:
    (output / "evidence" / "hook.log").write_text("joined with token=abcdefghij\n", encoding="utf-8")
    (output / "evidence" / "state.json").write_text(json.dumps({"token": "[redacted]", "name": "x"}), encoding="utf-8")
    record("gw0", finished(F5, "fail", message="no", evidence=["evidence/hook.log", "evidence/state.json"]))
    write_report(output, named)
    (found,) = objections(output)
    assert found.startswith("evidence/hook.log: holds what looks like a credential")


def test_a_report_that_every_clone_would_carry_is_not_too_large(
    output: Path, record: Callable[..., None], named: RunFacts
) -> None:
    with (output / "evidence" / "wan-1.pcap").open("wb") as stream:
        stream.truncate(MAX_BYTES)
    record("gw0", finished(F5, "fail", message="no", evidence=["evidence/wan-1.pcap"]))
    write_report(output, named)
    (found,) = objections(output)
    assert "run it again with --evidence failures or none" in found


def test_a_report_of_other_requirements_says_so_and_nothing_else(report: Path) -> None:
    path = report / "report.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["rows"] = content["rows"][:-1]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert objections(report) == ("the requirements or budgets have changed since; run it again",)


def test_the_check_names_whatever_is_not_where_it_belongs(report: Path, root: Path) -> None:
    lay(examine(report, now=NOW), root)
    shutil.move(root / PLACE, root / "v1alpha1" / "example-ltd-mylink" / "best-run")
    (root / "v1alpha1" / "notes.txt").touch()
    (root / "v1alpha1" / "example-ltd-mylink" / "empty").mkdir()
    found = {examined.folder.name: examined.objections for examined in check_all(root)}
    assert found["best-run"] == (f"belongs at {PLACE}; submit writes it there",)
    assert found["empty"][0].startswith("cannot be read")
    assert found["notes.txt"][0].startswith("is no report folder")


@pytest.mark.parametrize(
    ("organization", "version", "expected"),
    [
        ("ACME, Inc.", "v2.0+build/7", "acme-inc-mylink/emulated-v2.0-build-7-20260115T120025Z"),
        ("../..", "1", "mylink/emulated-1-20260115T120025Z"),
    ],
)
def test_no_name_leads_out_of_the_folder(
    ran: Path, facts: RunFacts, organization: str, version: str, expected: str
) -> None:
    hostile = replace(facts, implementation=replace(facts.implementation, organization=organization, version=version))
    assert str(home(write_report(ran, hostile))) == f"v1alpha1/{expected}"


def test_what_is_no_report_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"report\.json: cannot be read"):
        examine(tmp_path, now=NOW)


def test_the_command_says_where_it_goes_and_writes_only_when_asked(
    report: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["submit", str(report), "--into", str(root)]
    assert run_command([*words, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"accepted": True, "objections": [], "destination": str(root / PLACE), "written": False}
    assert not (root / PLACE).exists()
    assert run_command(words) == 0
    assert capsys.readouterr().out.startswith("NON-CONFORMANT: written to")
    assert run_command(words) == 0
    assert "lies already in" in capsys.readouterr().out
    assert run_command(["reports", "check", str(root)]) == 0
    assert capsys.readouterr().out == f"ok\t{PLACE}\tNON-CONFORMANT\n"


def test_the_command_refuses_with_reasons(report: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (report / "notes.txt").touch()
    assert run_command(["submit", str(report), "--into", str(root)]) == 1
    assert capsys.readouterr().out == "refused: notes.txt: the report does not name it; remove it\n"
    shutil.copytree(report, root / PLACE)
    assert run_command(["reports", "check", str(root), "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["report"], len(told["objections"])) == (PLACE, 1)


def test_the_command_needs_a_place(report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["submit", str(report), "--into", str(tmp_path / "none")]) == 3
    assert "run it in a clone of l3conf, or give --into" in capsys.readouterr().err


def test_published_reports_keep_the_rules() -> None:
    found = list(check_all(Path(__file__).parents[3] / "reports"))
    assert [(examined.folder, examined.objections) for examined in found if examined.objections] == []
