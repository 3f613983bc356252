"""Earlier releases are what was recorded: built from their own commit, and taken by nobody for today's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reference_impl import release_archive
from reference_impl.release_archive import ReleaseError, build, recorded
from reference_impl.version import VERSION

ROOT = Path(__file__).parents[2]
RECORD = release_archive.RECORD.read_text()
VERSIONS = [line.split()[0] for line in RECORD.splitlines() if line and not line.startswith("#")]


def in_this_clone(version: str) -> bool:
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{recorded(version, RECORD)}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_release_is_built_from_its_own_commit(version: str, tmp_path: Path) -> None:
    if not in_this_clone(version):
        pytest.skip("a shallow clone: the commit of this release is not in it")
    place = build(version, tmp_path)
    code = "from reference_impl.version import VERSION; import reference_impl; print(VERSION, reference_impl.__file__)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=place, env={"PYTHONPATH": str(place)}, capture_output=True, check=True
    )
    said, file = ended.stdout.decode().split()
    assert said == version != VERSION
    assert Path(file).is_relative_to(place)
    assert [path.name for path in tmp_path.iterdir()] == [version]


def test_what_stands_there_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = recorded(VERSIONS[0], RECORD)
    place = tmp_path / VERSIONS[0]
    place.mkdir()
    (place / ".commit").write_text(commit)
    monkeypatch.setattr(release_archive, "_archive", lambda _commit: pytest.fail("built again"))
    assert build(VERSIONS[0], tmp_path) == place


def test_a_release_of_another_commit_is_replaced(tmp_path: Path) -> None:
    if not in_this_clone(VERSIONS[0]):
        pytest.skip("a shallow clone: the commit of this release is not in it")
    place = tmp_path / VERSIONS[0]
    place.mkdir()
    (place / ".commit").write_text("another")
    assert (build(VERSIONS[0], tmp_path) / "reference_impl" / "version.py").exists()


def test_a_release_that_nobody_recorded_is_named() -> None:
    with pytest.raises(ReleaseError, match=r"'9.9.9' is not recorded in releases.txt \(recorded: 0.1.0\)"):
        recorded("9.9.9", "# versions\n0.1.0 abc # the first\n\n")


def test_a_commit_that_is_not_there_says_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(release_archive, "recorded", lambda *_: "0" * 40)
    with pytest.raises(ReleaseError, match="git fetch --unshallow"):
        build("0.1.0", tmp_path)


def test_manifests_name_the_version_that_runs() -> None:
    named = {
        word
        for path in (ROOT / "reference_impl" / "manifests").rglob("*.yaml")
        for word in path.read_text().split()
        if word.startswith("l3conf/reference-impl:")
    }
    assert named == {f"l3conf/reference-impl:{VERSION}"}
