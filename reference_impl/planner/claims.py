"""Who owns which prefix of the cluster set, and whether another prefix would share an address with one of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.state import IPNetwork


class Claims:
    """Prefixes and their owners. A look costs the number of different lengths, not of prefixes.

    Two prefixes share an address only if one holds the other: either a shorter one (or an equal one) is claimed
    already, which is a look by its bits for every length there is, or a longer one begins inside the new one.
    """

    __slots__ = ("_by_bits", "_inside", "_lengths")

    def __init__(self) -> None:
        self._by_bits: dict[tuple[int, int, int], tuple[str, IPNetwork]] = {}
        """By IP version, length and leading bits."""
        self._lengths: dict[int, set[int]] = {4: set(), 6: set()}
        self._inside: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        """First address and length of all, in order, by IP version."""

    def add(self, owner: str, prefixes: Iterable[IPNetwork]) -> None:
        """Let an owner have prefixes; what was claimed before stays with whom it was."""
        for prefix in prefixes:
            version, length, first = prefix.version, prefix.prefixlen, int(prefix.network_address)
            key = version, length, first >> (prefix.max_prefixlen - length)
            if key not in self._by_bits:
                self._by_bits[key] = owner, prefix
                self._lengths[version].add(length)
                insort(self._inside[version], (first, length))

    def overlapping(self, prefix: IPNetwork) -> tuple[str, IPNetwork] | None:
        """Return an owner and its prefix that shares an address with ``prefix``; None if none does."""
        version, length, bits = prefix.version, prefix.prefixlen, prefix.max_prefixlen
        first = int(prefix.network_address)
        for shorter in self._lengths[version]:
            if shorter <= length:
                found = self._by_bits.get((version, shorter, first >> (bits - shorter)))
                if found is not None:
                    return found
        ordered = self._inside[version]
        position = bisect_left(ordered, (first, length))
        if position < len(ordered):
            start, longer = ordered[position]
            if start >> (bits - length) == first >> (bits - length):
                return self._by_bits[version, longer, start >> (bits - longer)]
        return None
