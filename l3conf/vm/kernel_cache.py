"""Kernels of the distribution, fetched once and unpacked, never installed: ``$XDG_CACHE_HOME/l3conf/kernels``."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from l3conf.errors import MissingPrerequisiteError, UserError
from l3conf.vm.host import search_path
from l3conf.vm.kernels import KernelPath, candidate_version, folder_name, image_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from l3conf.vm.kernels import KernelPackage

_ASK_TIMEOUT = 60.0
_FETCH_TIMEOUT = 900.0
"""Seconds for a download of 70 MB over a slow line, and for unpacking 400 MB."""


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of kernels, by the XDG base directory specification: a relative path there does not count."""
    named = Path(environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "l3conf" / "kernels"


def find_kernel(wanted: KernelPath | KernelPackage, cache: Path, tell: Callable[[str], None]) -> Path:
    """Return the image to boot, fetched if it is not cached. ``UserError`` says what is wrong with it."""
    if isinstance(wanted, KernelPath):
        return _checked(wanted.image)
    depends = _ask(["apt-cache", "depends", "--", wanted.name])
    package = image_package(wanted.name, depends)
    version = candidate_version(package, _ask(["apt-cache", "policy", "--", package]))
    folder = cache / folder_name(package, version)
    if not folder.is_dir():
        tell(f"fetching {package} {version}")
        _fetch(f"{package}={version}", folder)
    images = sorted((folder / "boot").glob("vmlinuz-*"))
    if not images:
        raise UserError(f"package {package} holds no kernel image", where="--kernel", remedy="give another package")
    return images[0]


def _checked(image: Path) -> Path:
    try:
        with image.open("rb") as stream:
            if stream.read(1):
                return image.resolve()
    except OSError as error:
        raise UserError(f"{image} cannot be read: {error.strerror}", where="--kernel") from None
    raise UserError(f"{image} is empty", where="--kernel")


def _ask(argv: Sequence[str]) -> str:
    return _run(argv, Path("/"), _ASK_TIMEOUT)


def _fetch(package: str, folder: Path) -> None:
    """Download and unpack into ``folder``, which appears whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder.parent))
    except OSError as error:
        where, remedy = str(folder.parent), "set XDG_CACHE_HOME to a writable folder"
        raise UserError(f"no place for kernels: {error.strerror}", where=where, remedy=remedy) from None
    try:
        _run(["apt-get", "download", "--", package], scratch, _FETCH_TIMEOUT)
        archive = next(scratch.glob("*.deb"))
        _run(["dpkg-deb", "-x", archive.name, "tree"], scratch, _FETCH_TIMEOUT)
        for modules in (scratch / "tree" / "lib" / "modules").glob("*"):
            _run(["depmod", "-b", "tree", modules.name], scratch, _FETCH_TIMEOUT)
        with suppress(OSError):  # somebody else was quicker
            (scratch / "tree").rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(argv: Sequence[str], directory: Path, seconds: float) -> str:
    """Run a program of the package manager; its complaint becomes ours."""
    environ = {**os.environ, "PATH": search_path(), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            argv,
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise MissingPrerequisiteError(f"{argv[0]} did not end within {seconds:.0f} s", where="--kernel") from None
    except subprocess.CalledProcessError as error:
        said = [line.removeprefix("E: ") for line in error.stderr.splitlines() if line.startswith(("E:", "dpkg"))]
        what = f"{argv[0]}: {said[-1] if said else f'exit code {error.returncode}'}"
        remedy = "try: apt-get update, or give the path of a kernel"
        raise MissingPrerequisiteError(what, where="--kernel", remedy=remedy) from None
    return done.stdout
