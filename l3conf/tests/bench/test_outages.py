"""What counts as having measured an outage."""

from __future__ import annotations

import pytest

from l3conf.bench.outages import Injected

PERIOD = 0.01


@pytest.mark.parametrize(
    ("measured", "holds"), [(0.289, False), (0.291, True), (0.3, True), (0.317, True), (0.319, False), (0.0, False)]
)
def test_an_outage_is_measured_to_within_one_period_of_what_was_injected(measured: float, *, holds: bool) -> None:
    assert Injected(0.300, 0.308, measured).holds(PERIOD) is holds
