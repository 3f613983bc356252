"""Which kernel: a path or a package, and what ``apt-cache`` says of one. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from l3conf.errors import UserError

DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""``uname -m`` and what Debian calls it."""
_PACKAGE = re.compile(r"linux-image-[a-z0-9][a-z0-9.+~-]*")
_IMAGE = re.compile(r"linux-image-\d[a-z0-9.+~-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]*")


@dataclass(frozen=True, slots=True)
class KernelPath:
    """A kernel that is already here."""

    image: Path


@dataclass(frozen=True, slots=True)
class KernelPackage:
    """A kernel of the distribution, by the name of a package: an image's, or one that only depends on an image."""

    name: str


def default_package(machine: str) -> KernelPackage:
    """Return the distribution's usual kernel for a processor (``uname -m``); ``UserError`` if none is known."""
    architecture = DEBIAN_ARCHITECTURES.get(machine)
    if architecture is None:
        raise UserError(f"no kernel package is known for {machine}", where="--kernel", remedy="give the path of one")
    return KernelPackage(f"linux-image-{architecture}")


def parse_kernel(text: str) -> KernelPath | KernelPackage:
    """Tell a path from a package; ``UserError`` for what is neither."""
    if "/" in text:
        return KernelPath(Path(text))
    if _PACKAGE.fullmatch(text):
        return KernelPackage(text)
    remedy = "give a path with a slash, or a package such as linux-image-amd64"
    raise UserError(f"{text!r} is neither a path nor a kernel package", where="--kernel", remedy=remedy)


def image_package(name: str, depends: str) -> str:
    """Return the package that holds the image itself.

    ``depends`` is what ``apt-cache depends NAME`` printed. ``UserError`` if nothing there is an image.
    """
    if _IMAGE.fullmatch(name):
        return name
    words = [line.split() for line in depends.splitlines()]
    found = [found[1] for found in words if len(found) > 1 and found[0] == "Depends:" and _IMAGE.fullmatch(found[1])]
    if not found:
        raise UserError(f"package {name} leads to no kernel image", where="--kernel", remedy="try: apt-get update")
    return found[0]


def candidate_version(package: str, policy: str) -> str:
    """Return the version that ``apt-get download`` would fetch, from ``apt-cache policy``; ``UserError`` if none."""
    for line in policy.splitlines():
        name, _, version = line.strip().partition(": ")
        if name == "Candidate" and _VERSION.fullmatch(version):
            return version
    raise UserError(f"there is no package {package}", where="--kernel", remedy="try: apt-get update")


def folder_name(package: str, version: str) -> str:
    """Return the name of a package's folder in the cache."""
    return f"{package}_{version.replace(':', '%3a')}"
