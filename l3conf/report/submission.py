"""Laying a report into ``reports/`` as its rules ask, and looking after those that lie there."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from l3conf.errors import InvalidFileError, LabError, UserError
from l3conf.report.output import REPORT, digest
from l3conf.report.publication import Entry, EntryKind, home, objections
from l3conf.report.redaction import redact, redact_all
from l3conf.report.verify import verify_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.report.verify import Verification

RULES = "README.md"
"""What lies beside the reports: their rules."""
KERNELS = "kernels"
"""Folder of what a distribution's kernel was seen to do in a virtual machine: single rows, which certify nothing."""
_TEXTS = {".txt", ".log", ".md", ".xml", ".svg"}
_DEPTH = 3
"""Specification, implementation, report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A report folder, and whether it may be published."""

    folder: Path
    verification: Verification | None
    """None if there is no report that can be read."""
    objections: tuple[str, ...]
    home: PurePosixPath | None = None
    """Where it belongs below ``reports/``; None if that cannot be told."""


def examine(folder: Path, *, now: dt.datetime | None = None) -> Examined:
    """Verify a report and hold it against the rules. ``InvalidFileError`` if there is none that can be read at all."""
    verification = verify_report(folder)
    found = objections(verification, list(_entries(folder)), now=now or dt.datetime.now(dt.UTC))
    place = None if verification.problems else home(verification.report)
    return Examined(folder=folder, verification=verification, objections=tuple(found), home=place)


def lay(examined: Examined, root: Path) -> bool:
    """Copy a report to where it belongs below ``root``; return whether it was not there yet.

    All of it appears at once or none, and what appears has been verified again. ``UserError`` if another report lies
    there, or ``root`` cannot be written.
    """
    if examined.home is None or examined.objections:
        raise UserError("may not be published", where=str(examined.folder), remedy="see the objections")
    place = root / examined.home
    if place.exists():
        return _is_same(examined.folder, place)
    partial = place.with_name(f".{place.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a submission that was killed
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(examined.folder, partial, copy_function=_copy)
        if examine(partial).objections:
            raise LabError("changed while it was copied", where=str(examined.folder), remedy="submit it again")
        partial.rename(place)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(place), remedy="see to the folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def check_all(root: Path) -> Iterator[Examined]:
    """Yield every folder below ``root``, examined again, and what lies there and is no report.

    ``UserError`` if there is no such folder.
    """
    if not root.is_dir():
        raise UserError(
            "there are no reports", where=str(root), remedy="run it in a clone of l3conf, or name the folder"
        )
    for path in _reports(root, root):
        yield _checked(path, root)


def _checked(path: Path, root: Path) -> Examined:
    strange = f"is no report folder; only {RULES} lies beside <specification>/<implementation>/<report>"
    if path.is_symlink() or not path.is_dir():
        return Examined(folder=path, verification=None, objections=(strange,))
    try:
        examined = examine(path)
    except InvalidFileError as error:
        return Examined(folder=path, verification=None, objections=(error.what,))
    if examined.home is None or path == root / examined.home:
        return examined
    return Examined(
        folder=path,
        verification=examined.verification,
        objections=(*examined.objections, f"belongs at {examined.home}; submit writes it there"),
        home=examined.home,
    )


def _reports(folder: Path, root: Path) -> Iterator[Path]:
    """Yield what lies where reports do, and every file above that is not the rules."""
    for path in sorted(folder.iterdir()):
        if path == root / KERNELS:
            continue
        depth = len(path.relative_to(root).parts)
        if path.is_dir() and not path.is_symlink() and depth < _DEPTH:
            yield from _reports(path, root)
        elif depth == _DEPTH or path != root / RULES:
            yield path


def _entries(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            yield Entry(path=name, kind=EntryKind.OTHER)
        elif path.is_dir():
            yield Entry(path=name, kind=EntryKind.FOLDER)
        else:
            yield Entry(path=name, size=path.stat().st_size, leaks=_leaks(path))


def _leaks(path: Path) -> bool:
    """Whether a file's text holds what redaction would have taken out."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False  # pictures and captures; what cannot be read is named by verification
    if path.suffix == ".json":
        return _value_leaks(text)
    if path.suffix == ".jsonl":
        return any(_value_leaks(line) for line in text.splitlines())
    return path.suffix in _TEXTS and redact(text) != text


def _value_leaks(text: str) -> bool:
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        return bool(redact_all(value) != value)
    return redact(text) != text


def _copy(source: str, target: str) -> None:
    """Copy a file durably, readable by everybody: modes of the machine it comes from mean nothing in a repository."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o644)  # noqa: PTH101 - of shutil's interface
    with Path(target).open("rb") as stream:
        os.fsync(stream.fileno())


def _is_same(folder: Path, place: Path) -> bool:
    """Return False if a report lies at its place already; ``UserError`` if another one does."""
    if digest(folder, REPORT) != digest(place, REPORT):
        raise UserError(
            "another report lies there", where=str(place), remedy="nobody edits a published report: run it again"
        )
    return False
