"""One nftables table through the ``nft`` program: change without a gap, recognise what was loaded, remove."""

from __future__ import annotations

import hashlib
import logging
import re
import subprocess
from typing import TYPE_CHECKING

from reference_impl.drivers.kernel import KernelError
from reference_impl.nft_script import MARK, render, render_change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.state import Ruleset

_LOG = logging.getLogger(__name__)
_TIMEOUT = 10.0
_KINDS = ("chain", "set", "map", "counter", "quota", "limit", "flowtable", "ct", "secmark", "synproxy")
_NAMED = re.compile(rf"^\t({'|'.join(_KINDS)}) (.+) \{{$", re.MULTILINE)
_MAP = re.compile(r"^\tmap (\S+) \{$(.*?)^\t\}$", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"elements = \{(.*?)\}", re.DOTALL)
_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")


class Table:
    """A table of family inet that belongs to this process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loaded = ""
        """Digest of the table as it was listed right after we loaded or adopted it, without counters."""
        self._seen: tuple[str | None] | None = None
        """The listing of the last look, until something is loaded; whoever decides has just looked."""
        self._trusted = True
        """Whether that was what we left."""

    def load(self, ruleset: Ruleset) -> None:
        """Bring the table to a ruleset; ``KernelError`` carries nft's message.

        What is there is changed in place, so that no packet meets a filter without its sets. A table that is not of
        our making, or that somebody put other things into, is replaced in one transaction.
        """
        listing = self._seen[0] if self._seen is not None else self._list()
        self._seen = None
        names = {kind: _names(listing, kind) for kind in _KINDS}
        self._loaded = ""
        ours = listing is None or any(name.startswith(MARK) for name in names["chain"])
        if ours and not any(names[kind] for kind in _KINDS if kind not in {"chain", "set", "map"}):
            maps, trusted = _maps(listing or ""), self._trusted
            try:
                self._run_all(
                    render_change(ruleset, chains=names["chain"], sets=names["set"], maps=maps, trusted=trusted)
                )
            except KernelError as error:
                _LOG.warning("table %s is replaced as a whole: %s", self._name, error)
            else:
                return
        try:
            self._run_all([render(ruleset)])
        except KernelError:
            pieces = render_change(ruleset, chains=(), sets=())
            if len(pieces) == 1:
                raise
            self.remove()  # it does not fit into one transaction
            self._run_all(pieces)

    @staticmethod
    def _run_all(scripts: Iterable[str]) -> None:
        for script in scripts:
            result = run_nft("-f", "-", script=script)
            if result.returncode:
                raise KernelError(f"nft: {result.stderr.strip()}")

    def remove(self) -> None:
        """Delete the table; no error if there is none."""
        run_nft("-f", "-", script=f"table inet {self._name} {{ }}\ndelete table inet {self._name}\n")
        self._loaded, self._seen = "", None

    def digest(self) -> str | None:
        """Return the digest of what was loaded, "" if it was tampered with since, None if there is no table.

        nft prints rules in a form of its own that varies by version, so a listing is only ever compared with an
        earlier listing: a foreign edit under an intact mark is noticed from the second look on.
        """
        text = self._list()
        self._seen = (text,)
        if text is None:
            return None
        listing = hashlib.sha256(_COUNTERS.sub("", text).encode()).hexdigest()
        self._loaded = self._loaded or listing
        self._trusted = listing == self._loaded
        marks = [name.removeprefix(MARK) for name in _names(text, "chain") if name.startswith(MARK)]
        return marks[0] if len(marks) == 1 and self._trusted else ""

    def _list(self) -> str | None:
        """Return the table as nft prints it, protocols as numbers; None if there is none."""
        result = run_nft("--numeric-protocol", "list", "table", "inet", self._name)
        if result.returncode:
            if "No such file" in result.stderr:
                return None
            raise KernelError(f"nft: {result.stderr.strip()}")
        return result.stdout


def _names(listing: str | None, kind: str) -> tuple[str, ...]:
    return tuple(found[2] for found in _NAMED.finditer(listing or "") if found[1] == kind)


def _maps(listing: str) -> dict[str, dict[str, str]]:
    """Return the elements of named maps."""
    return {
        name: {
            key.strip(): value.strip()
            for elements in _ELEMENTS.findall(body)
            for key, _, value in (each.partition(" : ") for each in elements.split(","))
        }
        for name, body in _MAP.findall(listing)
    }


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
