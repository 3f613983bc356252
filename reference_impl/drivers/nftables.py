"""One nftables table: change without a gap by the ``nft`` program, recognise what was loaded, remove."""

from __future__ import annotations

import logging
import re
import subprocess
from typing import TYPE_CHECKING

from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.nft_reader import NftReader
from reference_impl.nft_script import MARK, render, render_change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.drivers.nft_reader import Listing
    from reference_impl.state import Ruleset

_LOG = logging.getLogger(__name__)
_TIMEOUT = 10.0
_MAP = re.compile(r"^\tmap (\S+) \{$(.*?)^\t\}$", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"elements = \{(.*?)\}", re.DOTALL)


class Table:
    """A table of family inet that belongs to this process."""

    def __init__(self, name: str, reader: NftReader | None = None) -> None:
        self._name = name
        self._reader = reader or NftReader()
        self._loaded = ""
        """Digest of the table as it was right after we loaded or adopted it, without counters."""
        self._seen: tuple[Listing | None] | None = None
        """What the last look saw, until something is loaded; whoever decides has just looked."""
        self._trusted = True
        """Whether that was what we left."""

    def load(self, ruleset: Ruleset) -> None:
        """Bring the table to a ruleset; ``KernelError`` carries nft's message.

        What is there is changed in place, so that no packet meets a filter without its sets. A table that is not of
        our making, or that somebody put other things into, is replaced in one transaction.
        """
        listing = self._seen[0] if self._seen is not None else self._reader.listing(self._name)
        self._seen, self._loaded = None, ""
        if listing is None or (_marks(listing) and not listing.others):
            try:
                load_scripts(self._change(ruleset, listing))
            except KernelError as error:
                _LOG.warning("table %s is replaced as a whole: %s", self._name, error)
            else:
                return
        try:
            load_scripts([render(ruleset)])
        except KernelError:
            pieces = render_change(ruleset, chains=(), sets=())
            if len(pieces) == 1:
                raise
            self.remove()  # it does not fit into one transaction
            load_scripts(pieces)

    def _change(self, ruleset: Ruleset, listing: Listing | None) -> tuple[str, ...]:
        if listing is None:
            return render_change(ruleset, chains=(), sets=())
        maps = _maps(self._text()) if listing.maps else {}
        return render_change(ruleset, chains=listing.chains, sets=listing.sets, maps=maps, trusted=self._trusted)

    def remove(self) -> None:
        """Delete the table; no error if there is none."""
        remove_table(self._name)
        self._loaded, self._seen = "", None

    def digest(self) -> str | None:
        """Return the digest of what was loaded, "" if it was tampered with since, None if there is no table.

        The kernel holds rules in a form of its own, so what is there is only ever compared with what was there
        earlier: a foreign edit under an intact mark is noticed from the second look on.
        """
        listing = self._reader.listing(self._name)
        self._seen = (listing,)
        if listing is None:
            return None
        self._loaded = self._loaded or listing.digest
        self._trusted = listing.digest == self._loaded
        marks = _marks(listing)
        return marks[0] if len(marks) == 1 and self._trusted else ""

    def _text(self) -> str:
        """Return the table as nft prints it, protocols as numbers; nothing if there is none."""
        result = run_nft("--numeric-protocol", "list", "table", "inet", self._name)
        if result.returncode and "No such file" not in result.stderr:
            raise KernelError(f"nft: {result.stderr.strip()}")
        return result.stdout


def _marks(listing: Listing) -> list[str]:
    return [name.removeprefix(MARK) for name in listing.chains if name.startswith(MARK)]


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


def load_scripts(scripts: Iterable[str]) -> None:
    """Have ``nft`` carry out scripts, a transaction each, until one is refused."""
    for script in scripts:
        load_script(script)


def remove_table(name: str) -> None:
    """Delete a table of family inet; no error if there is none."""
    load_script(f"table inet {name} {{ }}\ndelete table inet {name}\n")


def load_script(script: str, *options: str) -> None:
    """Have ``nft`` carry out a script, one transaction; ``KernelError`` carries its message."""
    result = run_nft(*options, "-f", "-", script=script)
    if result.returncode:
        raise KernelError(f"nft: {result.stderr.strip()}")


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
