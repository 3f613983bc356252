"""Writing a report's folder: all files or none, and never a half report that looks whole.

::

    OUT/report.json     the report; written last, so a folder without it is no report
    OUT/junit.xml summary.md
    OUT/badge.json badge.svg    only after the finished folder verified
    OUT/events/<worker>.jsonl   as the workers left them
    OUT/evidence/…              whatever events name
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING

from l3conf.errors import LabError, UserError
from l3conf.report.badge import badge_json, badge_svg
from l3conf.report.build import FileDigest, build_report
from l3conf.report.events import read_all_events
from l3conf.report.judgement import evidence_paths
from l3conf.report.junit import junit_xml
from l3conf.report.summary import summary_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from l3conf.report.build import Report
    from l3conf.report.facts import RunFacts

REPORT = "report.json"
EVENTS = "events"
EVIDENCE = "evidence"
READINGS = ("junit.xml", "summary.md", "badge.json", "badge.svg")
_CHUNK = 1 << 20


def prepare_output(directory: Path) -> None:
    """Make an empty output directory; a former report there is removed, other people's files are not.

    ``UserError`` if the directory holds something else, or cannot be written.
    """
    written = (REPORT, *READINGS)
    ours = {*written, *map(_partial, written), EVENTS, EVIDENCE}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        found = {entry.name for entry in directory.iterdir()}
        if found - ours:
            foreign = min(found - ours)
            raise UserError(f"holds other files, e.g. {foreign}", where=str(directory), remedy="give an empty folder")
        # The report goes first: what is left of an interrupted clean-up must not look like one.
        for name in sorted(found, key=lambda name: name != REPORT):
            _remove(directory / name)
        for name in (EVENTS, EVIDENCE):
            (directory / name).mkdir()
    except OSError as error:
        raise UserError(
            f"cannot be used for output: {error.strerror}", where=str(directory), remedy="give a writable folder"
        ) from error


def write_report(directory: Path, facts: RunFacts) -> Report:
    """Make the report of a run from the events in ``directory`` and write all its files.

    Raises ``LabError`` if the disk is full or the finished folder does not verify; then there is no report.json, or
    no badge.
    """
    from l3conf.report.verify import verify_report  # noqa: PLC0415 - verify reads what this module writes

    report = assemble(directory, facts)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    readings = {"junit.xml": junit_xml(report), "summary.md": summary_markdown(report)}
    write_files(directory, {**readings, REPORT: text})
    verification = verify_report(directory)
    if verification.problems:
        raise LabError(f"the new report does not verify: {verification.problems[0]}", where=str(directory))
    write_files(directory, {"badge.json": badge_json(report), "badge.svg": badge_svg(report)})
    return report


def assemble(directory: Path, facts: RunFacts) -> Report:
    """Make the report of the events and evidence in ``directory``, without writing anything."""
    files = read_all_events(directory / EVENTS)
    events = [digest(directory, f"{EVENTS}/{file.worker}.jsonl") for file in files]
    evidence = [digest(directory, path) for path in evidence_paths(files) if is_inside(directory, path)]
    return build_report(
        facts,
        files,
        event_digests=[file for file in events if file is not None],
        evidence=[file for file in evidence if file is not None],
    )


def is_inside(directory: Path, path: str) -> bool:
    """Whether a relative path stays in the directory, symbolic links included."""
    return (directory / path).resolve().is_relative_to(directory.resolve())


def digest(directory: Path, path: str) -> FileDigest | None:
    """Return the digest of a file of the folder; None if there is no such file."""
    sha256 = hashlib.sha256()
    size = 0
    try:
        with (directory / path).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                sha256.update(chunk)
                size += len(chunk)
    except OSError:
        return None
    return FileDigest(path=path, sha256=sha256.hexdigest(), size=size)


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write files so that each appears whole, in the given order, and none if the disk cannot hold all."""
    prepared = {name: directory / _partial(name) for name in files}
    try:
        for name, text in files.items():
            _write_durably(prepared[name], text)
        for name, partial in prepared.items():
            partial.replace(directory / name)
    except OSError as error:
        _discard(prepared.values())
        raise LabError(f"the report cannot be written: {error.strerror}", where=str(directory)) from error


def _partial(name: str) -> str:
    return f".{name}.partial"


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _discard(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
