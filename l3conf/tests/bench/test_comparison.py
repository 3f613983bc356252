"""Ratios, bars and what is said where something could not be measured."""

from __future__ import annotations

import pytest

from l3conf.bench.comparison import Bar, Comparison


def comparison(of: str, limit: float) -> Comparison:
    return Comparison(name="n", what="w", bar=Bar(limit=limit, of=of), measured=[30, 10, 20], baseline=[40, 2000, 40])


@pytest.mark.parametrize(
    ("of", "limit", "value", "holds"),
    [
        ("ratio", 0.5, 0.5, True),
        ("ratio", 0.4, 0.5, False),
        ("speedup", 2, 2, True),
        ("speedup", 3, 2, False),
        ("median", 20, 20, True),
        ("median", 19, 20, False),
    ],
)
def test_bars_are_about_medians(of: str, limit: float, value: float, holds: bool) -> None:  # noqa: FBT001 - parametrized
    found = comparison(of, limit)
    assert found.value == value
    assert found.to_json()["holds"] is holds
    assert found.to_row()[-1] == ("holds" if holds else "misses")


def test_what_could_not_be_measured_says_why_and_holds_nothing() -> None:
    missing = Comparison(name="n", what="w", bar=Bar(limit=1.5, of="ratio"), measured=[1.0], unavailable="no gcc")
    assert missing.to_json() == {"name": "n", "what": "w", "bar": "<= 1.5x", "unavailable": "no gcc"}
    assert missing.to_row()[-1] == "not measured: no gcc"
