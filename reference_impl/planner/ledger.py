"""Who has which global addresses: one pool, one ledger, decided in one place. Pure.

The ledger is the only record. It is one object that is replaced as a whole and only if it is still what was read, so
that no two agents give the same address to two owners; what objects say in their status follows from it. Addresses
are given out as offsets in the pool, lowest first, and never change while their owner lives. One that is given back
rests before it is given out again: peers may still know it as somebody else's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reference_impl.state import IPAddress, IPNetwork

QUARANTINE = 300
"""Seconds for which an address rests."""
RESERVED = 2
"""First offsets of a pool that are nobody's: its own address, and the active gateway's (``gateway_address``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody who wants addresses."""

    owner: str
    """UID of the object; one that was deleted and made again is another owner."""
    count: int
    created: str
    """``creationTimestamp``: who came first is served first."""
    said: tuple[IPAddress, ...] = ()
    """What its status says: believed where the ledger knows nothing of it, as after the ledger was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was given out and what rests, as offsets in the pool."""

    pool: IPNetwork
    held: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By owner, in the order in which they were given."""
    resting: Mapping[int, int] = field(default_factory=dict)
    """Unix seconds at which an address was given back, by offset."""

    def addresses(self, owner: str) -> tuple[IPAddress, ...]:
        """Return an owner's addresses."""
        return tuple(self.pool[offset] for offset in self.held.get(owner, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a look at all claims ends in."""

    ledger: Ledger
    refused: Mapping[str, str] = field(default_factory=dict)
    """Owners that did not get what they want, and why; what they had, they keep."""


def gateway_address(pool: IPNetwork) -> IPAddress:
    """Return the global address of the active gateway itself, where health checks are answered."""
    return pool[1]


def settle(ledger: Ledger, claims: Iterable[Claim], now: int) -> Settlement:
    """Return the ledger after everybody got what there is for them: all that they want more, or nothing more.

    ``now``: Unix seconds. The same claims and ledger give the same answer, in whatever order they come.
    """
    wanted = {claim.owner: claim for claim in claims}
    # Where the clock was set back, what was given back "later" than now rests from now on.
    since = {offset: min(then, now) for offset, then in ledger.resting.items()}
    resting = {offset: then for offset, then in since.items() if now - then < QUARANTINE}
    held: dict[str, tuple[int, ...]] = {}
    for owner, offsets in ledger.held.items():
        kept = offsets[: wanted[owner].count if owner in wanted else 0]
        if kept:
            held[owner] = kept
        resting |= dict.fromkeys(offsets[len(kept) :], now)
    taken = {offset for offsets in held.values() for offset in offsets} | {*resting}
    for claim in sorted(wanted.values(), key=_age):
        said = tuple(offset for address in claim.said if (offset := _offset(ledger.pool, address)) is not None)
        if claim.owner not in ledger.held and len(said) == len({*said} - taken):
            if keeps := said[: claim.count]:
                held[claim.owner] = keeps
            resting |= dict.fromkeys(said[len(keeps) :], now)
            taken |= {*said}
    free = _free(ledger.pool, taken)
    short: dict[str, int] = {}
    for claim in sorted(wanted.values(), key=_age):
        have = held.get(claim.owner, ())
        missing = claim.count - len(have)
        if missing <= 0:
            continue
        found = [offset for _, offset in zip(range(missing), free, strict=False)]
        if len(found) < missing:
            short[claim.owner] = missing
            free = iter(found)
            continue
        held[claim.owner] = (*have, *found)
    left = sum(1 for _ in free) if short else 0
    refused = {owner: _shortage(ledger.pool, missing, left, len(resting)) for owner, missing in short.items()}
    return Settlement(ledger=Ledger(pool=ledger.pool, held=held, resting=resting), refused=refused)


def due(ledger: Ledger, now: int) -> int | None:
    """Return in how many seconds the next address has rested enough; None if none rests."""
    return min((max(0, since + QUARANTINE - now) for since in ledger.resting.values()), default=None)


def write(ledger: Ledger) -> str:
    """Return a ledger as text."""
    text: dict[str, Any] = {
        "pool": str(ledger.pool),
        "held": {owner: list(offsets) for owner, offsets in sorted(ledger.held.items())},
        "resting": {str(offset): since for offset, since in sorted(ledger.resting.items())},
    }
    return json.dumps(text, separators=(",", ":"))


def read(text: str, pool: IPNetwork) -> Ledger:
    """Return the ledger that was written; an empty one for another pool, or where nobody can have written it.

    Each address stays with the first owner that the text names.
    """
    try:
        data = json.loads(text or "{}")
        if data.get("pool") != str(pool):
            return Ledger(pool=pool)
        given = range(RESERVED, pool.num_addresses - 1)
        resting = {offset: int(since) for text, since in data["resting"].items() if (offset := int(text)) in given}
        held: dict[str, tuple[int, ...]] = {}
        seen: set[int] = set()
        for owner, offsets in data["held"].items():
            mine = tuple(each for each in dict.fromkeys(map(int, offsets)) if each in given and each not in seen)
            seen |= {*mine}
            if mine:
                held[str(owner)] = mine
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return Ledger(pool=pool)
    return Ledger(pool=pool, held=held, resting=resting)


def _age(claim: Claim) -> tuple[str, str]:
    return claim.created, claim.owner


def _offset(pool: IPNetwork, address: IPAddress) -> int | None:
    """Return an address that can be given out as its place in the pool."""
    offset = int(address) - int(pool.network_address)
    return offset if address.version == pool.version and RESERVED <= offset < pool.num_addresses - 1 else None


def _free(pool: IPNetwork, taken: set[int]) -> Iterator[int]:
    """Yield what nobody has, lowest first; not the last one, which is IPv4's broadcast address in a LAN."""
    return (offset for offset in range(RESERVED, pool.num_addresses - 1) if offset not in taken)


def _shortage(pool: IPNetwork, missing: int, left: int, resting: int) -> str:
    rests = f"; {resting} were given back and rest for {QUARANTINE} s" if resting else ""
    return f"{missing} more wanted, {left} free in {pool}{rests}"
