"""What was done, as JSON lines: first what the run began from, then one line a change. Enough to do it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from l3conf.errors import UserError
from l3conf.soak.changes import Change

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO


class Journal:
    """A file that is written line by line: what a killed run had done stands in it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, entry: dict[str, Any]) -> None:
        """Write one line at once."""
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()


def changes_of(path: Path) -> list[Change]:
    """Return the changes that a journal tells of, in order. ``UserError`` names the line that cannot be read."""
    changes = []
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the journal cannot be read: {error}", where=str(path), remedy="check --replay") from None
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            if "change" in entry:
                changes.append(Change.from_json(entry["change"]))
        except (ValueError, TypeError, AttributeError) as error:
            text = f"this is no line of a journal ({error})"
            raise UserError(text, where=f"{path}:{number}", remedy="give the file that --journal wrote") from None
        except UserError as error:
            raise UserError(str(error), where=f"{path}:{number}", remedy="give the file that --journal wrote") from None
    if not changes:
        raise UserError("the journal tells of no change", where=str(path), remedy="give the file that --journal wrote")
    return changes
