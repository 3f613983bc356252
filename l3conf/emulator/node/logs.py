"""Reading a container's log file: from the end, and along while it grows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

PIECE = 1 << 16
FOLLOW_SECONDS = 0.05
"""How often a followed file is looked at. Containers write to it directly, so nobody could tell us."""


async def read_log(
    path: Path, *, tail_lines: int | None, follow: bool, ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield a log's content; with ``follow``, what is added until ``ended`` says so and the rest is read."""
    with path.open("rb") as file:
        if tail_lines is not None:
            file.seek(tail_offset(file, tail_lines))
        while True:
            last = not follow or ended()
            while piece := file.read(PIECE):
                yield piece
            if last:
                return
            await asyncio.sleep(FOLLOW_SECONDS)


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Return where the last ``lines`` lines begin; a last line without newline counts."""
    end = file.seek(0, 2)
    if lines <= 0:
        return end
    position, found, first = end, 0, True
    while position > 0:
        size = min(PIECE, position)
        position -= size
        file.seek(position)
        piece = file.read(size)
        start = len(piece)
        if first and piece.endswith(b"\n"):
            start -= 1
        first = False
        while (newline := piece.rfind(b"\n", 0, start)) >= 0:
            found += 1
            if found == lines:
                return position + newline + 1
            start = newline
    return 0
