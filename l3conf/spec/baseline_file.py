"""Loading a baseline file: read, validate, cross-check, and only then build values."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.model.baseline import Baseline, KnownFailure
from l3conf.spec.catalogue import requirements_by_id
from l3conf.spec.documents import read_document
from l3conf.spec.problems import Problem, refuse, suggestion
from l3conf.spec.schema_files import schema_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from l3conf.spec.problems import FieldPath

MOST_DAYS = 366
"""How far ahead an entry may expire: an excuse for longer is a decision, and nobody would look at it again."""


def load_baseline(path: Path | str, *, today: dt.date | None = None) -> Baseline:
    """Load a baseline file; ``InvalidFileError`` names every problem with file, line, field and remedy."""
    document = read_document(Path(path))
    refuse(document.file, schema_problems("baseline", document.data), document.lines)
    failures = document.data["spec"]["failures"]
    refuse(document.file, list(_problems(failures, today or dt.datetime.now(dt.UTC).date())), document.lines)
    return Baseline(
        name=document.data["metadata"]["name"],
        version=document.data["spec"]["version"],
        failures=tuple(_failure(failure) for failure in failures),
    )


def _failure(data: Mapping[str, Any]) -> KnownFailure:
    return KnownFailure(**{**data, "expires": dt.date.fromisoformat(data["expires"])})


def _problems(failures: Sequence[Mapping[str, str]], today: dt.date) -> Iterator[Problem]:
    rows = requirements_by_id()
    seen: set[str] = set()
    for index, failure in enumerate(failures):
        path: FieldPath = ("spec", "failures", index)
        name = failure["requirement"]
        if name not in rows:
            yield Problem((*path, "requirement"), f"there is no requirement {name!r}", suggestion(name, rows))
        elif name in seen:
            yield Problem((*path, "requirement"), f"{name} is listed twice", "join the entries")
        seen.add(name)
        yield from _expiry_problems((*path, "expires"), failure["expires"], today)


def _expiry_problems(path: FieldPath, text: str, today: dt.date) -> Iterator[Problem]:
    try:
        expires = dt.date.fromisoformat(text)
    except ValueError as error:
        yield Problem(path, f"{text!r} is no day: {error}", "write YYYY-MM-DD")
        return
    latest = today + dt.timedelta(days=MOST_DAYS)
    if expires > latest:
        yield Problem(path, f"{text} is more than a year ahead", f"write {latest} at the latest, and look again then")
