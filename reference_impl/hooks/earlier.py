"""Earlier releases as hooks see them: where they stand, and their own hooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.hooks.request import HookError
from reference_impl.mutants import VARIABLE

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object

FOLDER = Path(__file__).resolve().parents[2] / "out" / "releases"
"""Where ``release_archive`` puts them; ``impl.yaml`` names the same place."""


def directory_of(version: str) -> Path:
    """Return where a release stands. ``HookError`` if it was not built."""
    directory = FOLDER / version
    if not (directory / "reference_impl").is_dir():
        raise HookError(
            f"release {version} is not built: python reference_impl/release_archive.py {version} {FOLDER} makes it"
        )
    return directory


def asks_for_another(text: str, own: str) -> str:
    """Return the version that a request asks for if it is not ``own``; "" else, for malformed requests too."""
    try:
        version = json.loads(text).get("version")
    except (ValueError, AttributeError):
        return ""
    return version if isinstance(version, str) and version != own else ""


def call(version: str, verb: str, text: str) -> Object:
    """Have a release's own hook do it. What breaks with today's switches is today's: none is passed on."""
    directory = directory_of(version)
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    ended = subprocess.run(
        [sys.executable, "-m", "reference_impl.hooks", verb],
        input=text.encode(),
        stdout=subprocess.PIPE,
        env={**environment, "PYTHONPATH": str(directory)},
        cwd=directory,
        check=False,
    )
    if ended.returncode:
        raise HookError(f"the hook of release {version} ended with exit code {ended.returncode}")
    answer: Object = json.loads(ended.stdout or b"{}")
    return answer
