"""What a ground cannot do skips the test that asked for it: its rows are ``untestable`` there, with that reason.

Marks (``needs``) say so before anything is built; this is for what shows only while a test runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabIncapableError
from l3conf.plugin.marks import rows_of

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Skip a scenario whose lab cannot be had."""
    return (yield from _skipping(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skip a scenario that asked too much."""
    return (yield from _skipping(item))


def _skipping(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except LabIncapableError as why:
        if not rows_of(item):
            raise
        pytest.skip(str(why))
