"""From desired and actual state to operations, in an order that breaks nothing on the way.

What is new is made first: devices, then the entries that fill them, then the filters, then routes, then the
rules that lead packets to the routes. What is old goes in the opposite order. A route that changes is replaced
in one step, never removed and added.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.meter_script import mark
from reference_impl.nft_script import digest
from reference_impl.operations import Item, Operation, Verb
from reference_impl.state import (
    ForwardingEntry,
    HostAddress,
    IPsecLink,
    IPsecPeer,
    KernelState,
    Meters,
    Neighbour,
    Route,
    Ruleset,
    WireGuardLink,
    WireGuardPeer,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from reference_impl.state import AnyLink, Observed


def diff(desired: KernelState, observed: Observed) -> tuple[Operation, ...]:
    """Return the steps from what is there to what should be; none if they agree."""
    actual = observed.state
    stale = {link for link in actual.links if not _can_become(link, desired.links)}
    remade = {link for link in stale if any(link.name == wanted.name for wanted in desired.links)}
    left = _without_devices(actual, {link.name for link in stale})
    return (
        *_steps(Verb.REMOVE, remade),
        *_steps(Verb.SET, desired.links - left.links),
        *_steps(Verb.SET, desired.host_addresses - left.host_addresses),
        *_steps(Verb.SET, _changed_peers(desired.peers, left.peers, observed.roaming)),
        *_steps(Verb.SET, desired.ike_peers - left.ike_peers),
        *_steps(Verb.SET, desired.neighbours - left.neighbours),
        *_steps(Verb.SET, desired.forwarding - left.forwarding),
        *_ruleset_in(desired.ruleset, observed.ruleset_digest),
        *_meters_in(desired.meters, observed.meters_mark),
        *_steps(Verb.SET, desired.passages - left.passages),
        *_steps(Verb.SET, desired.routes - left.routes),
        *_steps(Verb.SET, desired.rules - left.rules),
        *_steps(Verb.REMOVE, _unwanted(left.rules, desired.rules)),
        *_steps(Verb.REMOVE, _unwanted(left.routes, desired.routes)),
        *_steps(Verb.REMOVE, left.passages - desired.passages),
        *_steps(Verb.REMOVE, _unwanted(left.forwarding, desired.forwarding)),
        *_steps(Verb.REMOVE, _unwanted(left.neighbours, desired.neighbours)),
        *_steps(Verb.REMOVE, _unwanted(left.peers, desired.peers)),
        *_steps(Verb.REMOVE, _unwanted(left.host_addresses, desired.host_addresses)),
        *_steps(Verb.REMOVE, _unwanted(left.ike_peers, desired.ike_peers)),
        *_steps(Verb.REMOVE, stale - remade),
        *_ruleset_out(desired.ruleset, observed),
        *_meters_out(desired.meters, observed),
    )


def _steps(verb: Verb, items: Iterable[Item]) -> Sequence[Operation]:
    return [Operation(verb, item) for item in sorted(items, key=repr)]


def _changed_peers(
    desired: Iterable[WireGuardPeer], actual: Iterable[WireGuardPeer], roaming: frozenset[str]
) -> Iterable[Item]:
    """Return the peers to set. What a device has learnt about where a peer is is never overwritten by older news."""
    found = {_identity(peer): peer for peer in actual}
    for peer in desired:
        known = found.get(_identity(peer))
        if known is not None and peer.public_key in roaming and known.endpoint in (None, peer.endpoint):
            if replace(peer, endpoint=known.endpoint) != known:
                yield replace(peer, endpoint=None)
        elif known != peer:
            yield peer


def _unwanted(actual: Iterable[Item], desired: Iterable[Item]) -> set[Item]:
    """Return what is there and whose identity is not wanted; what is wanted otherwise was replaced already."""
    wanted = {_identity(item) for item in desired}
    return {item for item in actual if _identity(item) not in wanted}


def _identity(item: Item) -> Hashable:
    """Return what the kernel tells items apart by."""
    match item:
        case Route():
            return item.destination, item.metric
        case Neighbour() | HostAddress():
            return item.device, item.address
        case ForwardingEntry():
            return item.device, item.mac
        case WireGuardPeer():
            return item.device, item.public_key
        case IPsecPeer():
            return item.device, item.name
        case _:
            return item


def _can_become(link: AnyLink, desired: Iterable[AnyLink]) -> bool:
    """Say whether a device stays: its MTU and MAC can be changed, what it was created with cannot."""
    return any(_creation(link) == _creation(wanted) for wanted in desired)


def _creation(link: AnyLink) -> Hashable:
    """Return what a device was created with. WireGuard takes another key or port while it runs."""
    if isinstance(link, WireGuardLink | IPsecLink):
        return type(link), link.name
    return type(link), link.name, link.vni, link.port, link.local


def _without_devices(state: KernelState, names: set[str]) -> KernelState:
    """Return what is left once devices are gone: the kernel takes their routes and neighbours along."""
    return KernelState(
        links=frozenset(link for link in state.links if link.name not in names),
        host_addresses=frozenset(item for item in state.host_addresses if item.device not in names),
        peers=frozenset(item for item in state.peers if item.device not in names),
        # The IKE daemon keeps its connections whatever becomes of a device.
        ike_peers=state.ike_peers,
        neighbours=frozenset(item for item in state.neighbours if item.device not in names),
        forwarding=frozenset(item for item in state.forwarding if item.device not in names),
        routes=frozenset(route for route in state.routes if route.device not in names),
        rules=state.rules,
        passages=state.passages,
    )


def _ruleset_in(desired: Ruleset | None, loaded: str) -> Sequence[Operation]:
    if desired is None or digest(desired) == loaded:
        return ()
    return (Operation(Verb.SET, desired),)


def _ruleset_out(desired: Ruleset | None, observed: Observed) -> Sequence[Operation]:
    if desired is not None or observed.state.ruleset is None:
        return ()
    return (Operation(Verb.REMOVE, observed.state.ruleset),)


def _meters_in(desired: Meters | None, loaded: str) -> Sequence[Operation]:
    if desired is None or mark(desired) == loaded:
        return ()
    return (Operation(Verb.SET, desired),)


def _meters_out(desired: Meters | None, observed: Observed) -> Sequence[Operation]:
    if desired is not None or observed.state.meters is None:
        return ()
    return (Operation(Verb.REMOVE, observed.state.meters),)
