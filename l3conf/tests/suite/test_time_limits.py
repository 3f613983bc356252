"""What pytest-timeout allows scenarios, and whom."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.time_limits import leave_room, limit_of
from l3conf.spec.budgets import Budgets

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = "pytester"
SCENARIOS = textwrap.dedent(
    """
    import pytest

    @pytest.mark.patient("idle_connections")
    def test_patient(): ...

    @pytest.mark.patient("idle_connections")
    @pytest.mark.timeout(7)
    def test_with_a_limit_of_its_own(): ...

    def test_other(): ...
    """
)


@pytest.fixture
def limits(pytester: pytest.Pytester) -> Callable[..., dict[str, float]]:
    """Return what tests are given with some arguments, on a lab that is so many times slower."""

    def read(*arguments: str, stretch: float = 1.0) -> dict[str, float]:
        items, _ = pytester.inline_genitems(pytester.makepyfile(SCENARIOS), *arguments)
        config = items[0].config
        budgets = Budgets.default()
        leave_room(items, config, budgets.with_overrides(budgets.stretched(stretch)))
        marks = {item.name: item.get_closest_marker("timeout") for item in items}
        return {name: limit_of(config) if mark is None else float(mark.args[0]) for name, mark in marks.items()}

    return read


def test_a_patient_test_may_wait_for_the_longest_window_as_well(limits: Callable[..., dict[str, float]]) -> None:
    longest = Budgets.default().get("W_idle")
    given = limits("--timeout=120")
    assert given["test_patient"] == 120 + longest
    assert given["test_other"] == 120
    assert given["test_with_a_limit_of_its_own"] == 7


def test_a_slow_lab_raises_every_limit(limits: Callable[..., dict[str, float]]) -> None:
    assert limits("--timeout=120", stretch=10)["test_other"] == 1200


def test_where_nobody_set_a_limit_none_is_set(limits: Callable[..., dict[str, float]]) -> None:
    assert set(limits("--timeout=0").values()) == {0.0, 7.0}
