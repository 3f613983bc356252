from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l3conf.teeth.catalogue import Mutant
from l3conf.teeth.matrix import (
    CONTROL,
    Bite,
    Matrix,
    TrialResult,
    bite_of,
    corrected,
    doubtful,
    is_control_plane,
    judge,
)
from l3conf.verdict import Verdict

MUTANT = Mutant(name="m", breaks="it", kills=("L3-F1", "L3-F5"))
SOUND = TrialResult(name=CONTROL, verdicts={"L3-F1": Verdict.PASS, "L3-F5": Verdict.PASS}, messages={}, seconds=1.0)


def result(name: str, message: str = "", **verdicts: Verdict) -> TrialResult:
    rows = {f"L3-{row}": verdict for row, verdict in verdicts.items()}
    return TrialResult(name=name, verdicts=rows, messages=dict.fromkeys(rows, message), seconds=1.0)


def matrix(*results: TrialResult, nulls: tuple[TrialResult, ...] = ()) -> Matrix:
    return judge([MUTANT], results, nulls=nulls, rows=MUTANT.kills)


def test_a_suite_that_kills_every_mutant_and_passes_the_control_has_teeth() -> None:
    judged = matrix(SOUND, result("m", F1=Verdict.FAIL, F5=Verdict.FAIL))
    assert judged.findings == []
    assert judged.to_json()["ok"] is True


def test_a_survivor_is_a_finding() -> None:
    judged = matrix(SOUND, result("m", F1=Verdict.PASS, F5=Verdict.FAIL))
    assert judged.findings == ["m survived at L3-F1"]


@given(st.sampled_from([verdict for verdict in Verdict if verdict not in {Verdict.PASS, Verdict.FAIL}]))
def test_what_is_neither_pass_nor_fail_is_no_kill(verdict: Verdict) -> None:
    assert bite_of(verdict) is Bite.WRONG
    judged = matrix(SOUND, result("m", "lab gone", F1=verdict, F5=Verdict.FAIL))
    assert judged.findings == ["m wrong verdict at L3-F1: lab gone"]


def test_a_row_that_was_not_tried_is_no_kill() -> None:
    assert matrix(SOUND, result("m", F5=Verdict.FAIL)).bites["m", "L3-F1"] is Bite.WRONG


def test_kills_prove_nothing_where_the_control_does_not_pass() -> None:
    killed = result("m", F1=Verdict.FAIL, F5=Verdict.FAIL)
    assert matrix(result(CONTROL, "too late", F1=Verdict.FAIL, F5=Verdict.PASS), killed).findings == [
        "without any switch L3-F1 was fail: too late"
    ]
    assert len(matrix(killed).findings) == 2


def test_a_null_implementation_may_pass_rows_of_the_control_plane_only() -> None:
    null = result("does-nothing", A1=Verdict.PASS, C1=Verdict.PASS, F1=Verdict.PASS, F5=Verdict.ERROR)
    judged = matrix(SOUND, result("m", F1=Verdict.FAIL, F5=Verdict.FAIL), nulls=(null,))
    assert judged.findings == ["does-nothing passed L3-F1"]


def test_sections_a_and_c_read_apis_only() -> None:
    assert [row for row in ("L3-A1", "L3-B8", "L3-C1", "L3-E1", "L3-F1", "L3-M1") if is_control_plane(row)] == [
        "L3-A1",
        "L3-C1",
    ]


def test_only_rows_that_did_not_show_what_they_should_are_looked_at_again() -> None:
    variant = result(f"{CONTROL} other", F1=Verdict.ERROR, F5=Verdict.PASS)
    null = result("null", F1=Verdict.PASS)
    trials = [SOUND, variant, result("m", F1=Verdict.PASS, F5=Verdict.FAIL), null]
    assert doubtful([MUTANT], trials) == {f"{CONTROL} other": ("L3-F1",), "m": ("L3-F1",)}


def test_a_second_look_counts_for_its_rows_alone() -> None:
    first = result("m", "late", F1=Verdict.ERROR, F5=Verdict.FAIL)
    seen = corrected(first, result("m", F1=Verdict.FAIL))
    assert seen.verdicts == {"L3-F1": Verdict.FAIL, "L3-F5": Verdict.FAIL}
    assert seen.messages == {"L3-F1": "", "L3-F5": "late"}
    still_wrong = corrected(first, result("m", "late again", F1=Verdict.ERROR))
    assert matrix(SOUND, still_wrong).findings == ["m wrong verdict at L3-F1: late again"]


def test_what_cannot_be_tested_here_with_or_without_a_switch_is_no_finding_and_no_kill() -> None:
    control = result(CONTROL, "no SCTP", F1=Verdict.UNTESTABLE, F5=Verdict.PASS)
    judged = matrix(control, result("m", F1=Verdict.UNTESTABLE, F5=Verdict.FAIL))
    assert (judged.findings, judged.bites["m", "L3-F1"]) == ([], Bite.UNTESTABLE)
    assert doubtful([MUTANT], [control]) == {}


def test_a_kill_beside_an_untestable_control_is_a_finding_as_is_the_reverse() -> None:
    untestable = result(CONTROL, "no SCTP", F1=Verdict.UNTESTABLE, F5=Verdict.PASS)
    killed = result("m", F1=Verdict.FAIL, F5=Verdict.FAIL)
    assert matrix(untestable, killed).findings == ["without any switch L3-F1 was untestable: no SCTP"]
    assert matrix(SOUND, result("m", F1=Verdict.UNTESTABLE, F5=Verdict.FAIL)).findings == ["m wrong verdict at L3-F1"]
