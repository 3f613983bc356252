"""Regular expressions in Go's syntax (RE2)."""

from __future__ import annotations

import functools
import importlib
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression."""

    compiled: Any
    """Of ``re2`` or ``re``, which agree on what is used here."""

    def found_in(self, text: str) -> bool:
        """Tell whether any part of ``text`` matches."""
        return self.compiled.search(text) is not None

    def first(self, text: str) -> str:
        """Return the first match, "" if there is none."""
        match = self.compiled.search(text)
        return str(match.group(0)) if match else ""

    def all(self, text: str) -> list[str]:
        """Return all matches from left to right."""
        return [str(match.group(0)) for match in self.compiled.finditer(text)]


@functools.lru_cache(maxsize=1024)
def compiled_pattern(pattern: str) -> Pattern:
    """Compile once; ValueError if the expression is wrong.

    The package ``google-re2`` is Go's own engine. Without it Python's ``re`` must do, which knows all that schemas of
    CRDs commonly use, but also look-arounds that Go would refuse.
    """
    try:
        re2 = importlib.import_module("re2")
    except ImportError:
        return _compiled_by_re(pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        return Pattern(re2.compile(pattern, options=options))
    except re2.error as error:
        raise ValueError(str(error)) from error


def _compiled_by_re(pattern: str) -> Pattern:
    try:
        return Pattern(re.compile(pattern, re.ASCII))
    except re.error as error:
        raise ValueError(str(error)) from error
