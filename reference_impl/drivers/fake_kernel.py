"""A kernel in memory, with the habits of the real one that a diff must reckon with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.drivers.kernel import KernelError
from reference_impl.nft_script import digest
from reference_impl.operations import Operation, Verb
from reference_impl.state import (
    ForwardingEntry,
    Guard,
    HostAddress,
    InterfaceAddress,
    KernelState,
    Link,
    Neighbour,
    Observed,
    Passage,
    Route,
    RouteKind,
    Rule,
    Ruleset,
    WireGuardLink,
    WireGuardPeer,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from reference_impl.operations import Item


class FakeKernel:
    """Keeps what it is told. Deleting a device takes along what stands on it; a missing one refuses entries."""

    def __init__(self, addresses: Iterable[InterfaceAddress] = (), guards: Iterable[Guard] = ()) -> None:
        self.addresses = tuple(addresses)
        self.guards = tuple(guards)
        self.history: list[Operation] = []
        """Every step ever applied, for tests on order and idleness."""
        self.heard_from: set[str] = set()
        """Public keys of WireGuard peers that are heard from, from wherever."""
        self.without: tuple[type, ...] = ()
        """Kinds of items that this kernel does not have."""
        self._items: dict[Hashable, Item] = {}

    def close(self) -> None:
        """Do nothing: there are no descriptors."""

    def observe(self) -> Observed:
        """Return everything that was set and not removed."""
        items = self._items.values()
        ruleset = next((item for item in items if isinstance(item, Ruleset)), None)
        return Observed(
            state=KernelState(
                links=frozenset(item for item in items if isinstance(item, Link | WireGuardLink)),
                host_addresses=frozenset(item for item in items if isinstance(item, HostAddress)),
                peers=frozenset(item for item in items if isinstance(item, WireGuardPeer)),
                neighbours=frozenset(item for item in items if isinstance(item, Neighbour)),
                forwarding=frozenset(item for item in items if isinstance(item, ForwardingEntry)),
                routes=frozenset(item for item in items if isinstance(item, Route)),
                rules=frozenset(item for item in items if isinstance(item, Rule)),
                ruleset=None if ruleset is None else replace(ruleset, sets=(), chains=()),
                passages=frozenset(item for item in items if isinstance(item, Passage)),
            ),
            ruleset_digest="" if ruleset is None else digest(ruleset),
            addresses=self.addresses,
            guards=self.guards,
            roaming=frozenset(self.heard_from),
        )

    def apply(self, operations: Iterable[Operation]) -> tuple[KernelError, ...]:
        """Carry out the steps; return those that a kernel would refuse."""
        failures = []
        for operation in operations:
            self.history.append(operation)
            if operation.verb is Verb.REMOVE:
                self._remove(operation.item)
            elif isinstance(operation.item, self.without):
                failures.append(KernelError(f"{operation}: operation not supported"))
            elif self._lacks_device(operation.item):
                failures.append(KernelError(f"{operation}: no such device"))
            else:
                self._items[_key(operation.item)] = self._as_kept(operation.item)
        return tuple(failures)

    def forget_everything(self) -> None:
        """Lose all state, as after a foreign hand."""
        self._items.clear()

    def _remove(self, item: Item) -> None:
        self._items.pop(_key(item), None)
        if isinstance(item, Link | WireGuardLink):
            self._items = {
                key: other
                for key, other in self._items.items()
                if isinstance(other, Passage) or getattr(other, "device", "") != item.name
            }

    def _as_kept(self, item: Item) -> Item:
        """Return an item as it ends up: a peer that is set without an endpoint keeps the one it has."""
        known = self._items.get(_key(item))
        if isinstance(item, WireGuardPeer) and isinstance(known, WireGuardPeer) and item.endpoint is None:
            return replace(item, endpoint=known.endpoint)
        return item

    def _lacks_device(self, item: Item) -> bool:
        if isinstance(item, Route) and item.kind is not RouteKind.UNICAST:
            return False
        device = "" if isinstance(item, Passage) else getattr(item, "device", "")
        return bool(device) and ("link", device) not in self._items


def _key(item: Item) -> Hashable:  # noqa: PLR0911 - one for each kind
    match item:
        case Link() | WireGuardLink():
            return "link", item.name
        case WireGuardPeer():
            return "peer", item.device, item.public_key
        case HostAddress() | Passage():
            return item
        case Neighbour():
            return "neighbour", item.device, item.address
        case ForwardingEntry():
            return "entry", item.device, item.mac
        case Route():
            return "route", item.destination, item.metric
        case Ruleset():
            return "ruleset", item.table
        case Rule():
            return "rule", item.direction, item.prefix
