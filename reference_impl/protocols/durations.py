"""Durations as Go's ``time.Duration`` prints them: what ``latencyRTT`` carries on the wire."""

from __future__ import annotations

_NANOSECOND = 1e-9
_MINUTE = 60
_HOUR = 3600


def go_duration(seconds: float) -> str:
    """Return a non-negative duration the way Go's ``Duration.String`` does, e.g. ``612.5µs``, ``1m3.5s``."""
    nanoseconds = round(seconds / _NANOSECOND)
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000:
            return f"{_decimal(nanoseconds, size)}{unit}"
    whole, rest = divmod(nanoseconds, _MINUTE * 1_000_000_000)
    hours, minutes = divmod(whole, _HOUR // _MINUTE)
    prefix = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{prefix}{_decimal(rest, 1_000_000_000)}s"


def _decimal(value: int, size: int) -> str:
    """Return ``value / size`` exactly, without trailing zeros."""
    whole, fraction = divmod(value, size)
    digits = f"{fraction:0{len(str(size)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
