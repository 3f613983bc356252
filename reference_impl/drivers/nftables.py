"""One nftables table through the ``nft`` program: load atomically, recognise what was loaded, remove."""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import TYPE_CHECKING

from reference_impl.drivers.kernel import KernelError
from reference_impl.nft_script import render

if TYPE_CHECKING:
    from reference_impl.state import Ruleset

_TIMEOUT = 10.0
_COMMENT = re.compile(r'^\s*comment "([0-9a-f]{32})"$', re.MULTILINE)
_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")


class Table:
    """A table of family inet that belongs to this process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loaded = ""
        """Listing of the table right after we loaded or adopted it, without counters."""

    def load(self, ruleset: Ruleset) -> None:
        """Replace the table in one transaction; ``KernelError`` carries nft's message."""
        result = run_nft("-f", "-", script=render(ruleset))
        if result.returncode:
            raise KernelError(f"nft: {result.stderr.strip()}")
        self._loaded = ""

    def remove(self) -> None:
        """Delete the table; no error if there is none."""
        run_nft("-f", "-", script=f"table inet {self._name} {{ }}\ndelete table inet {self._name}\n")
        self._loaded = ""

    def digest(self) -> str | None:
        """Return the digest of what was loaded, "" if it was tampered with since, None if there is no table.

        nft prints rules in a form of its own that varies by version, so a listing is only ever compared with an
        earlier listing: a foreign edit under an intact comment is noticed from the second look on.
        """
        result = run_nft("list", "table", "inet", self._name)
        if result.returncode:
            if "No such file" in result.stderr:
                return None
            raise KernelError(f"nft: {result.stderr.strip()}")
        listing = hashlib.sha256(_COUNTERS.sub("", result.stdout).encode()).hexdigest()
        self._loaded = self._loaded or listing
        comment = _COMMENT.search(result.stdout)
        return comment.group(1) if comment and listing == self._loaded else ""


def run_nft(*arguments: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``nft`` and return what came of it; ``KernelError`` if it cannot be run or hangs."""
    try:
        return subprocess.run(
            ["nft", *arguments],  # noqa: S607 - the distribution decides where nft lives
            input=script,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelError(f"nft: {error}") from error
