"""What one version of an implementation is known to fail, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure:
    """A requirement that is known to fail. It excuses nobody from it: the row reads as failed everywhere."""

    requirement: str
    reason: str
    link: str
    """Where that is said."""
    expires: dt.date
    """Last day on which it is an excuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is known to fail."""

    name: str
    """Of the implementation."""
    version: str
    """The version for which somebody looked."""
    failures: tuple[KnownFailure, ...] = ()
