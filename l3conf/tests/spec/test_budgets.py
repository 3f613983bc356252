"""The table of times: overrides, and the stretching of all deadlines for a slow machine."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.errors import UserError
from l3conf.spec.budgets import Budgets, chosen_overrides

DEADLINES = [budget.name for budget in Budgets.default() if budget.name[0] in "TO" and budget.seconds]


@given(st.floats(1.01, 100))
def test_stretching_loosens_every_deadline_and_no_window(factor: float) -> None:
    stretched = Budgets.default().with_overrides(chosen_overrides(factor, ()))
    assert {*stretched.loosened} == {*DEADLINES}
    for budget in stretched:
        assert stretched.get(budget.name) in (budget.seconds, budget.seconds * factor)


def test_a_slow_answer_does_not_pass_for_silence() -> None:
    stretched = Budgets.default().with_overrides(chosen_overrides(10, ()))
    assert stretched.get("W_silence") == stretched.get("T_probe") == 10


def test_no_stretching_changes_nothing() -> None:
    assert chosen_overrides(1, ()) == {}


def test_a_single_budget_stands_above_the_stretching() -> None:
    assert chosen_overrides(10, ["T_join=5"])["T_join"] == 5


@pytest.mark.parametrize("factor", [0, 0.5, -3, math.nan, math.inf])
def test_what_is_no_factor_is_refused(factor: float) -> None:
    with pytest.raises(UserError, match="--stretch"):
        chosen_overrides(factor, ())


def test_a_stretched_run_has_as_much_patience_with_its_labs() -> None:
    default = Budgets.default()
    assert default.patience == 1
    assert default.with_overrides(chosen_overrides(10, ())).patience == 10
    assert default.with_overrides({"T_lab": 1}).patience == 1
