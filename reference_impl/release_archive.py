"""Builds an earlier release out of its own recorded commit: ``python release_archive.py 0.1.0 out/releases``.

A release is a folder ``<version>`` with the package as it was, byte for byte, compiled so that read-only nodes may
run it. What stands there from the same commit stays; two builders at once do not disturb each other. A script by
itself, for it runs before anything of a release can be imported.
"""

from __future__ import annotations

import compileall
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
RECORD = PACKAGE / "releases.txt"
_COMMIT = ".commit"


class ReleaseError(Exception):
    """A release that cannot be built; the text says why and what would help."""


def recorded(version: str, record: str) -> str:
    """Return the commit of a version. ``record``: lines of version and commit; ``#`` begins a comment."""
    lines = [line.partition("#")[0].split() for line in record.splitlines()]
    commits = {words[0]: words[1] for words in lines if len(words) == 2}  # noqa: PLR2004 - version and commit
    if version not in commits:
        known = ", ".join(sorted(commits)) or "none"
        raise ReleaseError(f"release {version!r} is not recorded in {RECORD.name} (recorded: {known})")
    return commits[version]


def build(version: str, folder: Path) -> Path:
    """Return the folder of a release under ``folder``, built if it is not there."""
    commit, target = recorded(version, RECORD.read_text(encoding="utf-8")), folder / version
    if _is_of(target, commit):
        return target
    archive = _archive(commit)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=folder) as made:
        fresh = Path(made) / version
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(fresh, filter="data")
        compileall.compile_dir(fresh, quiet=1)
        (fresh / _COMMIT).write_text(commit)
        _put(fresh, target, commit)
    return target


def _archive(commit: str) -> bytes:
    command = ["git", "-C", str(PACKAGE.parent), "archive", "--format=tar", commit, PACKAGE.name]
    try:
        ended = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise ReleaseError("there is no git to take a recorded commit from: install it") from None
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip()
        raise ReleaseError(f"commit {commit} is not in this clone ({said}): git fetch --unshallow brings it")
    return ended.stdout


def _is_of(target: Path, commit: str) -> bool:
    mark = target / _COMMIT
    return mark.exists() and mark.read_text() == commit


def _put(fresh: Path, target: Path, commit: str) -> None:
    """Put a release in its place; whoever was faster was as good."""
    if target.exists() and not _is_of(target, commit):
        shutil.rmtree(target, ignore_errors=True)
    try:
        fresh.rename(target)
    except OSError:
        if not _is_of(target, commit):
            raise


def main(arguments: list[str]) -> int:
    """Build one release and print where it is."""
    if len(arguments) != 2:  # noqa: PLR2004 - version and folder
        sys.stderr.write("usage: release_archive.py VERSION FOLDER\n")
        return 2
    try:
        sys.stdout.write(f"{build(arguments[0], Path(arguments[1]))}\n")
    except (ReleaseError, OSError) as error:
        sys.stderr.write(f"release {arguments[0]}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
