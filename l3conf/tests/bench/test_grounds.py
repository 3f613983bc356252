"""How two grounds stand beside each other."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from l3conf.bench import grounds
from l3conf.bench.certified_run import CertifiedRun, certified
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(seconds: float, **verdicts: str) -> CertifiedRun:
    rows = [
        {"id": row, "verdict": verdict, "tests": [{"seconds": 1.5}, {"seconds": 0.5}]}
        for row, verdict in verdicts.items()
    ]
    core = {"passed": [*verdicts.values()].count("pass"), "mandatory": 2}
    verdict = {"overall": "CONFORMANT", "core": core}
    return CertifiedRun(
        seconds=seconds, report={"rows": rows, "verdict": verdict, "run": {"versions": {"l3conf": "1"}}}
    )


ALIKE = {"A": "pass", "B": "pass", "C": "unsupported", "D": "not_run"}


def test_rows_that_nobody_tested_are_left_out_and_those_that_differ_are_named() -> None:
    found = grounds.side_by_side({"emulated": [run(1, **ALIKE)], "mininet": [run(2, **{**ALIKE, "B": "error"})]})
    assert found["differing"] == ["B"]
    assert found["rows"] == {
        "A": {kind: {"verdicts": ["pass"], "seconds": 2.0} for kind in ("emulated", "mininet")},
        "B": {
            "emulated": {"verdicts": ["pass"], "seconds": 2.0},
            "mininet": {"verdicts": ["error"], "seconds": 2.0},
        },
    }
    assert found["grounds"]["mininet"] == {"overall": ["CONFORMANT"], "core": ["1/2"], "versions": {"l3conf": "1"}}


def test_a_row_that_is_not_alike_in_two_rounds_of_one_ground_differs() -> None:
    runs = [run(1, A="pass"), run(1, A="fail")]
    assert grounds.side_by_side({"emulated": runs, "mininet": runs})["differing"] == ["A"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let labs come up in 1 and 2 s and runs take 100 and ``seconds`` s; return what was asked for, in order."""
    asked: list[tuple[Any, ...]] = []

    def certify(_impl: Path, seed: int, *, on: str, keep: Path | None, topologies: Sequence[str]) -> CertifiedRun:
        asked.append((on, seed, keep, *topologies))
        return run({"emulated": 100, "mininet": 250}[on], **ALIKE)

    monkeypatch.setattr(grounds, "emulation", lambda _kind: SimpleNamespace(check_host=lambda: None))
    monkeypatch.setattr(grounds, "certified", certify)
    monkeypatch.setattr(grounds, "_ready", {"emulated": 1.0, "mininet": 2.0}.__getitem__)
    return asked


def test_both_grounds_are_measured_with_the_same_seeds_in_turn(machine: list[tuple[Any, ...]], tmp_path: Path) -> None:
    ran = CliRunner().invoke(grounds.grounds, ["--rounds", "2", "--json", "--keep", str(tmp_path), "--topology", "t"])
    assert ran.exit_code == 0, ran.output
    assert [(on, seed) for on, seed, *_ in machine] == [
        *(("emulated", 1), ("mininet", 1)),
        *(("mininet", 2), ("emulated", 2)),
    ]
    assert machine[0][2:] == (tmp_path / "emulated-seed-1", "t")
    answer = json.loads(ran.output)
    assert [(each["name"], each["ratio"], each["holds"]) for each in answer["results"]] == [
        ("lab ready", 2.0, True),
        ("certify", 2.5, True),
    ]
    assert answer["differing"] == []


@pytest.mark.usefixtures("machine")
def test_people_read_lines() -> None:
    lines = CliRunner().invoke(grounds.grounds, []).stdout.splitlines()
    assert lines == [
        "lab ready\t2.0 s\t1.0 s\t2.00x\t<= 3x\tholds",
        "certify\t250.0 s\t100.0 s\t2.50x\t<= 3x\tholds",
        "emulated\tCONFORMANT\tcore\t2/2",
        "mininet\tCONFORMANT\tcore\t2/2",
        "2 rows tested, 0 of them not alike everywhere",
    ]


def test_a_run_without_a_report_says_why(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"--on emulated, seed 1: no report: .*nowhere\.yaml"):
        certified(tmp_path / "nowhere.yaml", 1, on="emulated")
