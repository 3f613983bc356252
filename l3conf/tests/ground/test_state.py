"""Names of labs: kept while a lab starts, gone with it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.ground.state import claim_name, find_lab, named_labs, registry
from l3conf.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def names() -> list[str]:
    return [link.name for link in registry().iterdir()]


def test_a_lab_that_starts_keeps_its_name_and_is_not_listed() -> None:
    """It claims its name before it can say anything, and others look at all names when they claim theirs."""
    claim_name("starting", os.getpid())
    assert named_labs() == {}
    assert names() == ["starting"]
    with pytest.raises(UserError, match="already running"):
        claim_name("starting", os.getppid())


def test_the_name_of_a_lab_that_died_is_free() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    claim_name("dead", child.pid)
    assert named_labs() == {}
    assert names() == []


def test_a_process_that_has_been_no_lab_for_long_keeps_no_name() -> None:
    link = claim_name("long-ago", os.getpid())
    os.utime(link, (0, 0), follow_symlinks=False)
    with pytest.raises(UserError, match="no lab named"):
        find_lab("long-ago")
    assert names() == []
