"""One engine for all tests, and the images in it, built as ``make images BASE=…`` builds them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from images.tests.private_engine import NoEngineError, PrivateEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BASE_FILE = ROOT / "out" / "images" / "base.tar"
BASE = "l3conf/base:bookworm"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    try:
        started = PrivateEngine(tmp_path_factory.mktemp("engine"))
    except NoEngineError as error:
        pytest.skip(str(error))
    with started:
        yield started


@pytest.fixture(scope="session")
def images(engine: PrivateEngine) -> PrivateEngine:
    """Return the engine once it has every image."""
    if shutil.which("docker", path=engine.environment["PATH"]) is None:
        pytest.skip("docker, the command, is not installed: sudo apt-get install docker.io")
    run(engine, "docker", "import", str(_base_file()), BASE)
    run(engine, "images/build", "--base", BASE)
    return engine


def run(engine: PrivateEngine, *command: str) -> None:
    """Run a command of the repository against the engine; its output is the failure's."""
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=engine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{' '.join(command)}:\n{ended.stdout}"


def _base_file() -> Path:
    """Return the base's file, made anew if what it is made from is newer."""
    sources = [ROOT / "images" / "base", *(ROOT / "images" / "packages").iterdir()]
    if not BASE_FILE.exists() or BASE_FILE.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        if shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            pytest.skip("debootstrap is not installed: sudo apt-get install debootstrap")
        subprocess.run([ROOT / "images" / "base", BASE_FILE], check=True)
    return BASE_FILE
