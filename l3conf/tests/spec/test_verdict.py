"""Laws of the verdict algebra."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.spec.catalogue import Level, Requirement, Support, load_features, load_profiles, load_requirements
from l3conf.verdict import (
    Claims,
    Conditions,
    Exemption,
    Overall,
    Verdict,
    judge_row,
    judge_run,
    judge_test,
    judge_tests,
)

if TYPE_CHECKING:
    import random

TODAY = dt.date(2026, 1, 15)
ROWS = load_requirements()
IDS = [row.id for row in ROWS]

verdicts = st.sampled_from(Verdict)
several = st.lists(verdicts, max_size=6)
rows = st.sampled_from(ROWS)
claims = st.builds(
    Claims,
    profiles=st.sets(st.sampled_from([p.name for p in load_profiles()])).map(lambda p: frozenset({"core", *p})),
    features=st.frozensets(st.sampled_from([f.name for f in load_features() if f.extended]), max_size=5),
)
conditions = st.builds(
    Conditions,
    filtered=st.booleans(),
    loosened=st.lists(st.just("T_join"), max_size=1).map(tuple),
    harness_errors=st.lists(st.just("worker gone"), max_size=2).map(tuple),
)
tables = st.lists(verdicts, min_size=len(IDS), max_size=len(IDS)).map(lambda found: dict(zip(IDS, found, strict=True)))
clean = Conditions()


def all_pass() -> dict[str, Verdict]:
    return dict.fromkeys(IDS, Verdict.PASS)


@given(several)
def test_nothing_but_passes_joins_to_a_pass(found: list[Verdict]) -> None:
    proved = bool(found) and set(found) == {Verdict.PASS}
    assert (judge_test(found) is Verdict.PASS) == proved
    assert (judge_tests(found) is Verdict.PASS) == proved


@given(several, st.randoms())
def test_order_and_repetition_do_not_matter(found: list[Verdict], chance: random.Random) -> None:
    shuffled = [*found, *found]
    chance.shuffle(shuffled)
    assert judge_test(found) is judge_test(shuffled)
    assert judge_tests(found) is judge_tests(shuffled)


@given(several)
def test_a_failure_in_a_broken_lab_proves_nothing(found: list[Verdict]) -> None:
    assert judge_test([*found, Verdict.FAIL, Verdict.ERROR]) is Verdict.ERROR


@given(several)
def test_a_failure_proved_by_one_test_outlives_errors_of_others(found: list[Verdict]) -> None:
    assert judge_tests([*found, Verdict.ERROR, Verdict.FAIL]) is Verdict.FAIL


@given(several)
def test_a_row_is_not_run_as_long_as_one_of_its_tests_was_not(found: list[Verdict]) -> None:
    verdict = judge_tests([*found, Verdict.NOT_RUN])
    assert verdict in {Verdict.NOT_RUN, Verdict.FAIL, Verdict.ERROR}


def test_a_row_without_tests_is_not_run() -> None:
    assert judge_tests([]) is Verdict.NOT_RUN


@given(rows, claims)
def test_a_row_that_is_not_claimed_and_not_run_is_unsupported(row: Requirement, claimed: Claims) -> None:
    expected = Verdict.NOT_RUN if claimed.cover(row) else Verdict.UNSUPPORTED
    assert judge_row(row, [], claims=claimed) is expected


@given(rows, several, claims, st.dates())
def test_a_core_row_is_never_exempt(row: Requirement, found: list[Verdict], claimed: Claims, today: dt.date) -> None:
    exemption = Exemption(requirement=row.id, reason="known", link="https://example.com/1", expires=dt.date.max)
    verdict = judge_row(row, found, claims=claimed, exemptions=[exemption], today=today)
    if row.core:
        assert verdict is not Verdict.EXEMPT
    elif judge_tests(found) is not Verdict.PASS:
        assert verdict is Verdict.EXEMPT


@pytest.mark.parametrize(
    "changed",
    [{"reason": " "}, {"link": ""}, {"expires": TODAY - dt.timedelta(days=1)}, {"requirement": "L3-A1"}],
)
def test_an_exemption_needs_reason_link_and_a_day_that_has_not_passed(changed: dict[str, object]) -> None:
    row = next(row for row in ROWS if not row.core)
    valid: dict[str, object] = {"requirement": row.id, "reason": "known", "link": "https://x.example", "expires": TODAY}
    assert Exemption(**valid).waives(row, TODAY)  # type: ignore[arg-type]
    assert not Exemption(**{**valid, **changed}).waives(row, TODAY)  # type: ignore[arg-type]


@given(claims)
def test_a_run_that_proved_everything_is_conformant(claimed: Claims) -> None:
    run = judge_run(all_pass(), rows=ROWS, claims=claimed, conditions=clean)
    assert (run.overall, run.reasons, run.exit_code) == (Overall.CONFORMANT, (), 0)


@given(tables, claims, conditions)
def test_conformant_means_that_every_binding_row_passed(
    table: dict[str, Verdict], claimed: Claims, held: Conditions
) -> None:
    run = judge_run(table, rows=ROWS, claims=claimed, conditions=held)
    proved = all(table[row.id] is Verdict.PASS for row in ROWS if claimed.bind(row))
    assert (run.overall is Overall.CONFORMANT) == (proved and held == clean)


@given(tables, claims, conditions)
def test_non_conformant_means_that_a_binding_row_failed(
    table: dict[str, Verdict], claimed: Claims, held: Conditions
) -> None:
    run = judge_run(table, rows=ROWS, claims=claimed, conditions=held)
    failed = any(table[row.id] is Verdict.FAIL for row in ROWS if claimed.bind(row))
    assert (run.overall is Overall.NON_CONFORMANT) == failed


@given(tables, claims, conditions, rows, verdicts.filter(lambda verdict: verdict is not Verdict.PASS))
def test_making_a_row_worse_never_makes_a_run_conformant(
    table: dict[str, Verdict], claimed: Claims, held: Conditions, row: Requirement, worse: Verdict
) -> None:
    before = judge_run(table, rows=ROWS, claims=claimed, conditions=held)
    after = judge_run({**table, row.id: worse}, rows=ROWS, claims=claimed, conditions=held)
    if before.overall is not Overall.CONFORMANT and table[row.id] is not Verdict.FAIL:
        assert after.overall is not Overall.CONFORMANT
    if claimed.bind(row):
        assert after.overall is not Overall.CONFORMANT


@given(tables, claims, conditions)
def test_every_run_that_is_not_conformant_says_why(
    table: dict[str, Verdict], claimed: Claims, held: Conditions
) -> None:
    run = judge_run(table, rows=ROWS, claims=claimed, conditions=held)
    assert bool(run.reasons) == (run.overall is not Overall.CONFORMANT)


@pytest.mark.parametrize(
    "held",
    [Conditions(filtered=True), Conditions(loosened=("T_join",)), Conditions(harness_errors=("worker gone",))],
)
def test_a_filtered_loosened_or_broken_run_is_never_conformant(held: Conditions) -> None:
    run = judge_run(all_pass(), rows=ROWS, claims=Claims(), conditions=held)
    assert (run.overall, run.exit_code) == (Overall.INCOMPLETE, 2)


def test_from_no_rows_nothing_follows() -> None:
    assert judge_run({}, rows=[], claims=Claims(), conditions=clean).overall is Overall.INCOMPLETE


def test_a_row_that_is_missing_from_the_table_was_not_run() -> None:
    table = all_pass()
    del table["L3-F1"]
    run = judge_run(table, rows=ROWS, claims=Claims(), conditions=clean)
    assert run.reasons == ("1 mandatory requirement not run: L3-F1",)


def test_an_exempt_row_of_a_declared_feature_was_not_proved() -> None:
    row = next(row for row in ROWS if row.support is Support.EXTENDED and row.level is Level.MUST)
    claimed = Claims(features=frozenset({row.feature}))
    run = judge_run({**all_pass(), row.id: Verdict.EXEMPT}, rows=ROWS, claims=claimed, conditions=clean)
    assert run.overall is Overall.INCOMPLETE


def test_should_rows_do_not_bind() -> None:
    table = {row.id: Verdict.PASS if row.level.mandatory else Verdict.FAIL for row in ROWS}
    assert judge_run(table, rows=ROWS, claims=Claims(), conditions=clean).overall is Overall.CONFORMANT
