"""Counters of what passes through cables, in an nftables table of their own.

They are the same for every cable driver: what tunnels count themselves differs (WireGuard counts no packets, a security
association forgets all with every new key, a VXLAN device knows no peers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.nft_reader import NftReader
from reference_impl.drivers.nftables import load_scripts, remove_table
from reference_impl.meter_script import MARK, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.state import Count, Meters


class MeterTable:
    """A table of family inet whose counters belong to this process."""

    def __init__(self, name: str, reader: NftReader | None = None) -> None:
        self._name = name
        self._reader = reader or NftReader()

    def mark(self) -> str | None:
        """Return the mark of what was loaded, "" if there is none; None if there is no table."""
        found = self._reader.counters(self._name)
        if found is None:
            return None
        marks = [name for name in found if name.startswith(MARK)]
        return marks[0] if len(marks) == 1 else ""

    def counts(self) -> Mapping[str, Count]:
        """Return what has passed, by name of the counter."""
        return {
            name: count
            for name, count in (self._reader.counters(self._name) or {}).items()
            if not name.startswith(MARK)
        }

    def load(self, meters: Meters) -> None:
        """Count for these peers; counters that are there go on. ``KernelError`` carries nft's message.

        Where an interrupted load has left something in the way, the table is made anew, and counts from zero.
        """
        found = self._reader.counters(self._name) or {}
        try:
            load_scripts(render(meters, found.keys()))
        except KernelError:
            if not found:
                raise
            self.remove()
            load_scripts(render(meters))

    def remove(self) -> None:
        """Delete the table; no error if there is none."""
        remove_table(self._name)
