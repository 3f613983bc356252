"""The version that runs, as every status reports it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.2.0"
