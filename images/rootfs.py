"""Fills the root of an image with the files of Debian packages and of what these need, and nothing else.

::

    python3 rootfs.py /rootfs packages/probe      the packages that the file lists

There is no shell in it and no package manager: what only installs or configures others is left out, and so are manuals
and translations. Licences stay, and what scanners read to know the packages (``/var/lib/dpkg/status.d``). Runs in an
image's first stage, where the packages are installed, with the standard library alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INSTALLERS = frozenset(
    {"adduser", "awk", "debconf", "debconf-2.0", "dpkg", "init-system-helpers", "libpam-runtime", "mawk", "tpm-udev"}
)
"""Packages that are needed to set others up, never to run them."""
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
"""Directories of the root that are links into /usr (Debian's merged /usr)."""
_LEFT_OUT = re.compile(
    r"/usr/share/(bash-completion|info|lintian|locale|man|doc(?!/[^/]+(/copyright)?$))(/|$)|/usr/lib/[^/]+/gconv/.+[.]so$"
)
_USERS = {"root": 0, "nobody": 65534, "nonroot": 65532}
_QUERY = "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n"


def closure(wanted: Iterable[str], relations: Mapping[str, str], providers: Mapping[str, str]) -> list[str]:
    """Return the packages that are needed, sorted. ``LookupError`` names a need that no installed package meets.

    ``relations`` are the needs of each installed package as dpkg writes them, ``providers`` who stands for a virtual
    package. Of alternatives the first that is installed counts.
    """
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        package = waiting.pop()
        if package in found:
            continue
        found.add(package)
        for relation in relations[package].split(","):
            names = [re.split(r"[\s:(]", each.strip())[0] for each in relation.split("|")]
            if not any(names) or INSTALLERS.intersection(names):
                continue
            real = [name if name in relations else providers.get(name, "") for name in names]
            if not any(real):
                raise LookupError(f"{package} needs {relation.strip()}, which is not installed")
            waiting.append(next(filter(None, real)))
    return sorted(found)


def is_wanted(path: str) -> bool:
    """Say whether a package's file belongs into an image."""
    return not _LEFT_OUT.match(path)


def installed(listing: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return needs by package and providers by virtual package, of what dpkg-query prints for ``_QUERY``."""
    relations: dict[str, str] = {}
    providers: dict[str, str] = {}
    for line in listing.splitlines():
        package, needs, provided = line.split("\t")
        relations[package] = needs
        for each in provided.split(","):
            if each.strip():
                providers.setdefault(each.split("(")[0].strip(), package)
    return relations, providers


def fill(root: Path, packages: Iterable[str]) -> None:
    """Make the root of an image out of packages that are installed here."""
    for name in _MERGED:
        if Path("/", name).is_symlink():
            (root / "usr" / name).mkdir(parents=True)
            (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        for path in filter(is_wanted, _dpkg("-L", package).splitlines()):
            if path.startswith("/") and path != "/.":
                _copy(Path(path), root)
        status = root / "var/lib/dpkg/status.d" / package
        status.parent.mkdir(parents=True, exist_ok=True)
        status.write_text(_dpkg("-s", package))
    _furnish(root)


def _copy(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    if path.is_dir() and not path.is_symlink():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copymode(path, target)
    elif not target.is_symlink() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)


def _furnish(root: Path) -> None:
    """Add what programs expect of any system: users, directories, and the name of the distribution."""
    for name, mode in {"dev": 0o755, "etc": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "tmp": 0o1777}.items():
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(mode)
    (root / "var").mkdir(exist_ok=True)
    if not (root / "var/run").exists():
        (root / "var/run").symlink_to("/run")
    _copy(Path("/usr/lib/os-release"), root)
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/passwd").write_text(
        "".join(f"{name}:x:{uid}:{uid}::/:/sbin/nologin\n" for name, uid in _USERS.items())
    )
    (root / "etc/group").write_text("".join(f"{name}:x:{uid}:\n" for name, uid in _USERS.items()))
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _dpkg(*arguments: str) -> str:
    return subprocess.run(["dpkg-query", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S607 - the base's


def main(arguments: list[str]) -> int:
    """Fill a root; ``arguments`` are its path and a file with names of packages."""
    root, names = Path(arguments[0]), Path(arguments[1]).read_text(encoding="utf-8").split()
    fill(root, closure(names, *installed(_dpkg("-W", "-f", _QUERY))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
