from __future__ import annotations

import pytest

from reference_impl.protocols.durations import go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1e-9, "1ns"),
        (612.5e-6, "612.5µs"),
        (1.25e-3, "1.25ms"),
        (1, "1s"),
        (63.5, "1m3.5s"),
        (3600, "1h0m0s"),
        (1.000000001, "1.000000001s"),
    ],
)
def test_durations_read_as_go_prints_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
