"""What is wrong with a file: collected, never raised one at a time."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from l3conf.errors import InvalidFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the root of a document, e.g. ``("spec", "clusters", 1, "podCIDRs", 0)``."""

MAX_PROBLEMS = 20
"""Problems shown of one file; the rest is counted. Enough to mend in one sitting, too few to scroll."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend in a file."""

    path: FieldPath
    what: str
    remedy: str


def field_name(path: FieldPath) -> str:
    """Spell a path as people write it: ``spec.clusters[1].podCIDRs[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text or "the document"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean …?`` for a near miss, else the choices; a remedy in either case."""
    choices = sorted(known)
    lowered = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"did you mean {lowered[close[0]]}?"
    return f"use one of: {', '.join(choices)}" if choices else "remove it"


def line_of(path: FieldPath, lines: Mapping[FieldPath, int]) -> int:
    """Return the line of the nearest part of ``path`` that stands in the file; 1 if none does."""
    for end in range(len(path), -1, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 1


def refuse(file: Path, problems: Sequence[Problem], lines: Mapping[FieldPath, int]) -> None:
    """Raise one ``InvalidFileError`` that lists the problems, one per line, in the order of the file.

    Does nothing if there are none. Every line stands alone: file, line, field, problem, remedy.
    """
    if not problems:
        return
    ordered = sorted(set(problems), key=lambda problem: (line_of(problem.path, lines), _sort_key(problem)))
    shown = [
        f"{file}:{line_of(problem.path, lines)}: {field_name(problem.path)}: {problem.what} ({problem.remedy})"
        for problem in ordered[:MAX_PROBLEMS]
    ]
    if len(ordered) > MAX_PROBLEMS:
        shown.append(f"{file}: {len(ordered) - MAX_PROBLEMS} more problems (mend these first)")
    raise InvalidFileError("\n".join(shown))


def _sort_key(problem: Problem) -> tuple[str, str]:
    return field_name(problem.path), problem.what
