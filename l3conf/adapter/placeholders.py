"""What ``{python}`` and ``{directory}`` in an implementation file stand for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fill(text: str, folder: Path) -> str:
    """Fill the placeholders into one word; other braces stay as they are. ``folder`` is that of the file."""
    return text.replace("{python}", sys.executable).replace("{directory}", str(folder))
