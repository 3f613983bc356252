"""A kernel in memory, with the habits of the real one that a diff must reckon with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.drivers.kernel import KernelError
from reference_impl.meter_script import mark
from reference_impl.nft_script import digest
from reference_impl.operations import Operation, Verb
from reference_impl.protocols.connection_names import cluster_of
from reference_impl.state import (
    ForwardingEntry,
    Guard,
    HostAddress,
    InterfaceAddress,
    IPsecLink,
    IPsecPeer,
    KernelState,
    Link,
    Meters,
    Neighbour,
    Observed,
    Passage,
    Route,
    RouteKind,
    Rule,
    Ruleset,
    SubTunnel,
    WireGuardLink,
    WireGuardPeer,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from reference_impl.flows import Bindings, Suspects
    from reference_impl.operations import Item
    from reference_impl.state import Count, IPAddress


class FakeKernel:
    """Keeps what it is told. Deleting a device takes along what stands on it; a missing one refuses entries."""

    def __init__(self, addresses: Iterable[InterfaceAddress] = (), guards: Iterable[Guard] = ()) -> None:
        self.addresses = tuple(addresses)
        self.guards = tuple(guards)
        self.history: list[Operation] = []
        """Every step ever applied, for tests on order and idleness."""
        self.heard_from: set[str] = set()
        """Public keys of WireGuard peers that are heard from, from wherever."""
        self.sub_tunnels_down: set[SubTunnel] = set()
        """Sub-tunnels that do not come up, whatever is set."""
        self.passed: dict[str, Count] = {}
        """What its counters show, by name."""
        self.located: dict[str, tuple[IPAddress, int]] = {}
        """Where those of them are sent to that have moved since they were set."""
        self.bindings: list[Bindings] = []
        """What flows were bound to, in order."""
        self.without: tuple[type, ...] = ()
        """Kinds of items that this kernel does not have."""
        self.wireguard_devices: frozenset[str] = frozenset()
        self._items: dict[Hashable, Item] = {}

    def close(self) -> None:
        """Do nothing: there are no descriptors."""

    def observe(self) -> Observed:
        """Return everything that was set and not removed."""
        items = self._items.values()
        ruleset = next((item for item in items if isinstance(item, Ruleset)), None)
        meters = next((item for item in items if isinstance(item, Meters)), None)
        return Observed(
            state=KernelState(
                host_addresses=frozenset(item for item in items if isinstance(item, HostAddress)),
                links=frozenset(item for item in items if isinstance(item, Link | WireGuardLink | IPsecLink)),
                peers=frozenset(item for item in items if isinstance(item, WireGuardPeer)),
                ike_peers=frozenset(item for item in items if isinstance(item, IPsecPeer)),
                neighbours=frozenset(item for item in items if isinstance(item, Neighbour)),
                forwarding=frozenset(item for item in items if isinstance(item, ForwardingEntry)),
                routes=frozenset(item for item in items if isinstance(item, Route)),
                rules=frozenset(item for item in items if isinstance(item, Rule)),
                ruleset=None if ruleset is None else replace(ruleset, sets=(), chains=()),
                passages=frozenset(item for item in items if isinstance(item, Passage)),
                meters=None if meters is None else Meters(table=meters.table),
            ),
            ruleset_digest="" if ruleset is None else digest(ruleset),
            addresses=self.addresses,
            guards=self.guards,
            roaming=frozenset(self.heard_from),
            wireguard_devices=self.wireguard_devices,
            sub_tunnels=frozenset(self._sub_tunnels()) - self.sub_tunnels_down,
            meters_mark="" if meters is None else mark(meters),
            located=frozenset((key, *self.located[key]) for key in self.heard_from if key in self.located),
        )

    def forget(self, bindings: Bindings, suspects: Suspects | None) -> None:  # noqa: ARG002 - it has no flows
        """Remember what flows were to be bound to."""
        self.bindings.append(bindings)

    def counts(self) -> Mapping[str, Count]:
        """Return what its counters show."""
        return dict(self.passed)

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

    def _sub_tunnels(self) -> Iterable[SubTunnel]:
        for item in self._items.values():
            if isinstance(item, IPsecPeer) and not item.stands_by:
                yield from (SubTunnel(peer=cluster_of(item.name), pair=pair) for pair in item.pairs)

    def forget_everything(self) -> None:
        """Lose all state, as after a foreign hand."""
        self._items.clear()

    def _remove(self, item: Item) -> None:
        self._items.pop(_key(item), None)
        if isinstance(item, Link | WireGuardLink | IPsecLink):
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


def _key(item: Item) -> Hashable:  # noqa: C901, PLR0911 - one for each kind
    match item:
        case Link() | WireGuardLink() | IPsecLink():
            return "link", item.name
        case WireGuardPeer():
            return "peer", item.device, item.public_key
        case HostAddress():
            return "address", item.device, item.address
        case Passage():
            return item
        case IPsecPeer():
            return "ike", item.device, item.name
        case Neighbour():
            return "neighbour", item.device, item.address
        case ForwardingEntry():
            return "entry", item.device, item.mac
        case Route():
            return "route", item.destination, item.metric
        case Ruleset() | Meters():
            return type(item), item.table
        case Rule():
            return "rule", item.direction, item.prefix, item.rejects
