"""A kernel is fetched once, appears whole or not at all, and what apt complains of is told in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import MissingPrerequisiteError, UserError
from l3conf.tests.vm.test_kernels import DEPENDS, POLICY
from l3conf.vm.kernel_cache import cache_directory, find_kernel
from l3conf.vm.kernels import KernelPackage, KernelPath

if TYPE_CHECKING:
    from collections.abc import Callable

USUAL = KernelPackage("linux-image-amd64")
FOLDER = "linux-image-6.1.0-56-amd64_6.1.192-2"
UNPACK = "mkdir -p $3/boot $3/lib/modules/6.1.0-56-amd64; echo kernel > $3/boot/vmlinuz-6.1.0-56-amd64"


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put programs of a distribution before the real ones; each keeps what it was asked in ``asked``."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def put(**scripts: str) -> None:
        (tmp_path / "depends").write_text(DEPENDS)
        (tmp_path / "policy").write_text(POLICY)
        usual = {"apt-cache": f"cat {tmp_path}/$1", "apt-get": "echo > image.deb", "dpkg-deb": UNPACK, "depmod": ":"}
        for name, script in {**usual, **{name.replace("_", "-"): script for name, script in scripts.items()}}.items():
            (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/asked\n{script}\n')
            (programs / name).chmod(0o755)

    return put


def test_the_usual_kernel_is_fetched_once(distribution: Callable[..., None], tmp_path: Path) -> None:
    distribution()
    told: list[str] = []
    cache = tmp_path / "cache" / "kernels"
    for _ in range(2):
        image = find_kernel(USUAL, cache, told.append)
        assert image == cache / FOLDER / "boot" / "vmlinuz-6.1.0-56-amd64"
    asked = (tmp_path / "asked").read_text()
    assert told == ["fetching linux-image-6.1.0-56-amd64 6.1.192-2"]
    assert asked.count("apt-get download -- linux-image-6.1.0-56-amd64=6.1.192-2\n") == 1
    assert "depmod -b tree 6.1.0-56-amd64\n" in asked
    assert [path.name for path in cache.iterdir()] == [FOLDER]


@pytest.mark.parametrize(
    ("program", "script", "message"),
    [
        ("apt_get", "echo 'E: Temporary failure resolving' >&2; exit 100", "apt-get: Temporary failure resolving"),
        ("dpkg_deb", "mkdir -p $3; echo 'dpkg-deb: error: no space left' >&2; exit 2", "no space left"),
        ("depmod", "exit 1", "depmod: exit code 1"),
        ("apt_cache", "echo 'E: No packages found' >&2; exit 100", "No packages found"),
    ],
)
def test_what_failed_is_told_and_leaves_nothing(
    distribution: Callable[..., None], tmp_path: Path, program: str, script: str, message: str
) -> None:
    distribution(**{program: script})
    cache = tmp_path / "cache"
    with pytest.raises(MissingPrerequisiteError, match=message):
        find_kernel(USUAL, cache, lambda _text: None)
    assert not cache.exists() or not list(cache.iterdir())


def test_a_package_without_an_image_is_refused(distribution: Callable[..., None], tmp_path: Path) -> None:
    distribution(dpkg_deb="mkdir -p $3/usr")
    with pytest.raises(UserError, match="holds no kernel image"):
        find_kernel(USUAL, tmp_path / "cache", lambda _text: None)


def test_a_cache_that_cannot_be_written_is_named(distribution: Callable[..., None], tmp_path: Path) -> None:
    distribution()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        find_kernel(USUAL, tmp_path / "file" / "kernels", lambda _text: None)


def test_a_path_is_taken_as_it_is_if_something_is_there(tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz"
    with pytest.raises(UserError, match="No such file"):
        find_kernel(KernelPath(image), tmp_path, lambda _text: None)
    image.touch()
    with pytest.raises(UserError, match="is empty"):
        find_kernel(KernelPath(image), tmp_path, lambda _text: None)
    image.write_bytes(b"kernel")
    assert find_kernel(KernelPath(image), tmp_path, lambda _text: None) == image


def test_the_cache_lies_where_xdg_says_unless_that_is_relative() -> None:
    assert cache_directory({"XDG_CACHE_HOME": "/var/xdg"}) == Path("/var/xdg/l3conf/kernels")
    for unusable in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "here"}):
        assert cache_directory(unusable) == Path.home() / ".cache" / "l3conf" / "kernels"
