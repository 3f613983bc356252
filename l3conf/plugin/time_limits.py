"""Limits that pytest-timeout sets leave room for what a scenario may wait for.

A limit on tests is a user's or a repository's choice and known to nobody here; without pytest-timeout, or without a
limit, nothing is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.collection import is_patient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.spec.budgets import Budgets


def leave_room(scenarios: Iterable[pytest.Item], config: pytest.Config, budgets: Budgets) -> None:
    """Raise the limit of scenarios on a lab that is stretched, and of those that may wait for the longest window.

    A patient test waits for what was begun with its lab; how much of it is left depends on what else is run.
    """
    limit = limit_of(config)
    if not limit:
        return
    longest = max(budgets.get(budget.name) for budget in budgets if budget.name.startswith("W_"))
    for item in scenarios:
        seconds = limit * budgets.patience + (longest if is_patient(item) else 0.0)
        if seconds > limit and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))


def limit_of(config: pytest.Config) -> float:
    """Return the seconds after which pytest-timeout ends a test; 0 if it does not."""
    if not config.pluginmanager.hasplugin("timeout"):
        return 0.0
    import pytest_timeout  # noqa: PLC0415 - an extra that users may lack

    return float(pytest_timeout.get_env_settings(config).timeout or 0.0)


def begin_anew(item: pytest.Item) -> None:
    """Give a test that runs once more its whole time again."""
    if not item.config.pluginmanager.hasplugin("timeout"):
        return
    import pytest_timeout  # noqa: PLC0415 - likewise

    settings, mark = pytest_timeout.get_env_settings(item.config), item.get_closest_marker("timeout")
    own = [*mark.args, mark.kwargs.get("timeout")][0] if mark is not None else None
    seconds = settings.timeout if own is None else own
    if seconds:
        item.ihook.pytest_timeout_cancel_timer(item=item)
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings._replace(timeout=float(seconds)))
