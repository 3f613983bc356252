"""What nftables hold in a network namespace, read over netlink: no program is run to look.

Agents look whenever somebody, a kube-proxy say, has changed any rule: to start ``nft`` for each look costs more than to
look. A dump is left undecoded but for what an agent must know. The kernel numbers its rulesets: while the number is
the same, nothing in any table has changed (``NFT_MSG_GETGEN``). Numbers are those of linux/netfilter/nf_tables.h and
linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from reference_impl.drivers.attributes import attribute, attributes
from reference_impl.drivers.kernel_dump import NETLINK_NETFILTER, REQUEST_AND_ACKNOWLEDGE, RawNetlink
from reference_impl.state import Count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

FAMILIES = {1: "inet", 2: "ip", 10: "ip6"}
"""``NFPROTO_INET``, ``_IPV4`` and ``_IPV6``, as nft says them; others are nobody's business here."""
FORWARD = 2
"""``NF_INET_FORWARD``."""
_NUMBERS = {name: number for number, name in FAMILIES.items()}
_SUBSYSTEM = 10 << 8
_GET_TABLE, _GET_CHAIN, _GET_RULE, _GET_SET, _GET_ELEMENTS, _GET_GENERATION, _GET_OBJECT, _GET_FLOW_TABLE = (
    _SUBSYSTEM | number for number in (1, 4, 7, 10, 13, 16, 19, 23)
)
_HEAD = struct.Struct("=BBH")  # nfgenmsg
_BODY = 16 + _HEAD.size
_NUMBER, _COUNT = struct.Struct(">I"), struct.Struct(">Q")
_TABLE, _NAME = 1, 2
"""``NFTA_CHAIN_TABLE``, ``NFTA_SET_TABLE``, ``NFTA_OBJ_TABLE``, ``NFTA_FLOWTABLE_TABLE``; and the names."""
_TABLE_NAME, _GENERATION = 1, 1
_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE, _CHAIN_COUNTERS = 3, 4, 5, 7, 8
_RULE_CHAIN, _RULE_HANDLE, _RULE_EXPRESSIONS, _RULE_COMMENTS = 2, 3, 4, 7
_SET_FLAGS, _SET_IS_ANONYMOUS, _SET_IS_MAP = 3, 0x1, 0x8
_ELEMENTS_SET, _ELEMENTS_LIST = 2, 3
_OBJECT_TYPE, _OBJECT_DATA, _IS_COUNTER = 3, 4, 1
_OCTETS, _PACKETS = 1, 2
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_COMMENT = 0
"""``NFTNL_UDATA_RULE_COMMENT``: what nft itself keeps beside a rule."""
_TRIES = 5
"""Looks that a change may spoil; the last one counts as it is, and the next step looks again."""


class BaseChain(NamedTuple):
    """A chain that the kernel calls; ``hook`` is -1 for one that only rules call."""

    family: str
    table: str
    name: str
    hook: int
    kind: str
    drops: bool


class Listing(NamedTuple):
    """What a table of family inet holds."""

    chains: tuple[str, ...]
    sets: tuple[str, ...]
    """Names of those that have one, maps apart."""
    maps: tuple[str, ...]
    others: bool
    """Whether there are objects or flow tables as well."""
    digest: str
    """Another one for every change but that of counters: of the kernel's own form, handles included, so that it is only
    worth comparing with an earlier one of the same table."""


class NftReader:
    """Belongs to the namespace and thread that first asks. Methods raise ``OSError`` if the kernel refuses."""

    def __init__(self) -> None:
        self._opened: RawNetlink | None = None

    @property
    def _netlink(self) -> RawNetlink:
        if self._opened is None:
            self._opened = RawNetlink(NETLINK_NETFILTER)
        return self._opened

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def generation(self) -> int:
        """Return the number of the ruleset: another one after every change of any table."""
        for message in self._netlink.ask(_GET_GENERATION, REQUEST_AND_ACKNOWLEDGE, _HEAD.pack(0, 0, 0))[0]:
            for kind, start, _ in attributes(message, _BODY, len(message)):
                if kind == _GENERATION:
                    return int(_NUMBER.unpack_from(message, start)[0])
        raise OSError("the kernel does not number its rulesets")

    def listing(self, table: str) -> Listing | None:
        """Return what a table of family inet holds; None if there is none."""
        return self._unchanged(lambda: self._listing(table))

    def chains(self) -> list[BaseChain]:
        """Return all chains of tables that see IP packets."""
        return [chain for _, chain in self._chains(0) if chain is not None]

    def comments(self, chain: BaseChain) -> list[tuple[int, str]]:
        """Return handle and comment of the rules in a chain, "" for none; nothing if the chain is gone."""
        wanted = attribute(_TABLE, _text(chain.table)) + attribute(_RULE_CHAIN, _text(chain.name))
        found = []
        for message in self._dump(_GET_RULE, _NUMBERS[chain.family], wanted):
            parts = _parts(message)
            if _said(parts.get(_RULE_CHAIN)) == chain.name:
                found.append((_COUNT.unpack(parts[_RULE_HANDLE])[0], _comment(parts.get(_RULE_COMMENTS, b""))))
        return found

    def counters(self, table: str) -> Mapping[str, Count] | None:
        """Return the named counters of a table of family inet; None if there is no table."""
        found = {}
        for parts in self._named(_GET_OBJECT, table):
            if _NUMBER.unpack(parts[_OBJECT_TYPE])[0] == _IS_COUNTER:
                data = parts[_OBJECT_DATA]
                values = {kind: data[start:end] for kind, start, end in attributes(data, 0, len(data))}
                packets, octets = (_COUNT.unpack(values[each])[0] for each in (_PACKETS, _OCTETS))
                found[_said(parts[_NAME])] = Count(packets=packets, octets=octets)
        return found if found or self._has(table) else None

    def _listing(self, table: str) -> Listing | None:
        if not self._has(table):
            return None
        digest = hashlib.sha256()
        chains = []
        for message, chain in self._chains(_NUMBERS["inet"]):
            if chain is not None and chain.table == table:
                chains.append(chain.name)
                digest.update(_without(message, _CHAIN_COUNTERS))
        for message in self._dump(_GET_RULE, _NUMBERS["inet"], attribute(_TABLE, _text(table))):
            digest.update(_rule(message))
        sets: dict[bool, list[str]] = {False: [], True: []}
        for message in self._dump(_GET_SET, _NUMBERS["inet"], attribute(_TABLE, _text(table))):
            parts = _parts(message)
            if _said(parts.get(_TABLE)) != table:
                continue
            flags = _NUMBER.unpack(parts.get(_SET_FLAGS, bytes(4)))[0]
            if not flags & _SET_IS_ANONYMOUS:
                sets[bool(flags & _SET_IS_MAP)].append(_said(parts[_NAME]))
            digest.update(message[_BODY:])
            for element in sorted(self._elements(table, parts[_NAME])):
                digest.update(element)
        others = [*self._named(_GET_OBJECT, table), *self._named(_GET_FLOW_TABLE, table)]
        for other in others:
            digest.update(other[_NAME])
        return Listing(tuple(chains), tuple(sets[False]), tuple(sets[True]), bool(others), digest.hexdigest())

    def _has(self, table: str) -> bool:
        return any(
            _said(_parts(message).get(_TABLE_NAME)) == table for message in self._dump(_GET_TABLE, _NUMBERS["inet"])
        )

    def _chains(self, family: int) -> Iterator[tuple[bytes, BaseChain | None]]:
        for message in self._dump(_GET_CHAIN, family):
            yield message, _chain(message)

    def _elements(self, table: str, name: bytes) -> Iterator[bytes]:
        wanted = attribute(_TABLE, _text(table)) + attribute(_ELEMENTS_SET, name)
        for message in self._dump(_GET_ELEMENTS, _NUMBERS["inet"], wanted):
            for kind, start, end in attributes(message, _BODY, len(message)):
                if kind == _ELEMENTS_LIST:
                    yield from (message[first:last] for _, first, last in attributes(message, start, end))

    def _named(self, kind: int, table: str) -> Iterator[Mapping[int, bytes]]:
        for message in self._dump(kind, _NUMBERS["inet"], attribute(_TABLE, _text(table))):
            parts = _parts(message)
            if _said(parts.get(_TABLE)) == table:
                yield parts

    def _dump(self, kind: int, family: int, wanted: bytes = b"") -> list[bytes]:
        try:
            return self._netlink.dump(kind, _HEAD.pack(family, 0, 0) + wanted)
        except FileNotFoundError:  # somebody has just taken it away
            return []

    def _unchanged(self, look: Callable[[], T]) -> T:
        """Return what several dumps say of one and the same ruleset."""
        before = self.generation()
        for _ in range(_TRIES):
            found, after = look(), self.generation()
            if after == before:
                break
            before = after
        return found


def _parts(message: bytes) -> dict[int, bytes]:
    return {kind: message[start:end] for kind, start, end in attributes(message, _BODY, len(message))}


def _chain(message: bytes) -> BaseChain | None:
    parts, family = _parts(message), FAMILIES.get(message[16])
    if family is None:
        return None
    hook = parts.get(_CHAIN_HOOK, b"")
    numbers = {kind: _NUMBER.unpack_from(hook, start)[0] for kind, start, _ in attributes(hook, 0, len(hook))}
    return BaseChain(
        family=family,
        table=_said(parts.get(_TABLE)),
        name=_said(parts.get(_CHAIN_NAME)),
        hook=numbers.get(1, -1),
        kind=_said(parts.get(_CHAIN_TYPE)),
        drops=bool(hook) and _NUMBER.unpack(parts.get(_CHAIN_POLICY, b"\0\0\0\1"))[0] == 0,
    )


def _without(message: bytes, unwanted: int) -> bytes:
    return b"".join(
        message[start:end] for kind, start, end in attributes(message, _BODY, len(message)) if kind != unwanted
    )


def _rule(message: bytes) -> bytes:
    """Return a rule, but for what its counters have counted."""
    said = []
    for kind, start, end in attributes(message, _BODY, len(message)):
        if kind != _RULE_EXPRESSIONS:
            said.append(message[start:end])
            continue
        for _, first, last in attributes(message, start, end):
            expression = {part: message[a:b] for part, a, b in attributes(message, first, last)}
            name = expression.get(_EXPRESSION_NAME, b"")
            said += [name, b"" if _said(name) == "counter" else expression.get(_EXPRESSION_DATA, b"")]
    return b"\0".join(said)


def _comment(data: bytes) -> str:
    """Return the comment among what nft keeps beside a rule: type, length and value, a byte each for the first two."""
    while len(data) > 2:  # noqa: PLR2004 - type and length
        kind, size = data[0], data[1]
        if kind == _COMMENT:
            return _said(data[2 : 2 + size])
        data = data[2 + size :]
    return ""


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _said(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode(errors="replace")
