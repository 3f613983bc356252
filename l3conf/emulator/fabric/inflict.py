"""Faults of a running fabric: each begins with ``Faults.begin`` and ends by what that returns.

Whatever a fault changes is put back as it was; only a NAT that forgot its mappings has forgotten them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from l3conf.emulator.fabric import faults
from l3conf.emulator.fabric.nat_faults import SiteNATs
from l3conf.emulator.fabric.node_addresses import move_node
from l3conf.emulator.fabric.node_faults import link_down, set_reverse_path_filter
from l3conf.emulator.fabric.plan import WAN
from l3conf.emulator.fabric.relay import DelayedPath
from l3conf.errors import LabError
from l3conf.model.faults import (
    AddressChange,
    Cut,
    Delay,
    LinkDown,
    Loss,
    NATRebinding,
    NATReboot,
    NetworkFault,
    NodeAddressChange,
    Path,
    RateLimit,
    ReversePathFilter,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from l3conf.emulator.fabric.build import Fabric

    Undo: TypeAlias = Callable[[], Awaitable[None]]

_TIMES_A_SECOND = 1_000_000_000


class Faults:
    """The faults of one fabric."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._nats = SiteNATs(fabric)
        self._standing: set[tuple[object, ...]] = set()

    async def begin(self, fault: NetworkFault) -> Undo:
        """Begin a fault; return what ends it. ``LabError`` if it cannot be, or is in force already."""
        target = _target(self._fabric, fault)
        clash = next((each for each in self._standing if _clashes(each, target)), None)
        if clash is not None:
            raise LabError(f"{type(fault).__name__} meets a {clash[0]} of the same place", remedy="end that one first")
        self._standing.add(target)
        try:
            end = await self._begin(fault)
        except BaseException:
            self._standing.discard(target)
            raise

        async def undo() -> None:
            if target in self._standing:  # ending twice is ending once
                self._standing.discard(target)
                await end()

        return undo

    async def _begin(self, fault: NetworkFault) -> Undo:
        match fault:
            case Cut() | Loss() | RateLimit() | Delay():
                return await self._begin_on_path(fault)
            case NATRebinding():
                await self._nats.rebind(fault.site)
                return _nothing
            case NATReboot():
                return await self._nats.reboot(fault.site)
            case AddressChange():
                return await self._nats.change_address(fault.site, fault.address)
            case NodeAddressChange() | LinkDown() | ReversePathFilter():
                return _in_place(self._begin_on_node(fault))

    def _begin_on_node(self, fault: NodeAddressChange | LinkDown | ReversePathFilter) -> Callable[[], None]:
        match fault:
            case NodeAddressChange():
                return move_node(self._fabric, fault.cluster, fault.node, fault.address)
            case LinkDown():
                return link_down(self._fabric, fault.cluster, fault.node)
            case ReversePathFilter():
                return set_reverse_path_filter(self._fabric, fault.cluster, fault.node, fault.mode)

    async def _begin_on_path(self, fault: Cut | Loss | RateLimit | Delay) -> Undo:
        pair = self._fabric.ports(fault.source, fault.destination)
        match fault:
            case Cut():
                self._fabric.cut(fault.source, fault.destination)
                return _in_place(lambda: self._fabric.heal(fault.source, fault.destination))
            case Loss():
                _check(0 <= fault.share <= 1, f"a loss of {fault.share:g}", "give a share from 0 to 1")
                return await self._rules(faults.lose(*pair, fault.share), faults.end_loss(*pair))
            case RateLimit():
                rate = fault.bytes_per_second
                _check(0 < rate < _TIMES_A_SECOND * 4, f"a rate of {rate} bytes/s", "give 1 to 4 000 000 000")
                return await self._rules(faults.limit(*pair, rate), faults.end_limit(*pair))
            case Delay():
                _check(0 <= fault.seconds <= 10, f"a delay of {fault.seconds:g} s", "give 0 to 10 s")  # noqa: PLR2004
                return await self._detour(pair, fault.seconds)

    async def _rules(self, begin: str, end: str) -> Undo:
        await self._fabric.load_ruleset_async(WAN, begin)
        return lambda: self._fabric.load_ruleset_async(WAN, end)

    async def _detour(self, pair: tuple[str, str], seconds: float) -> Undo:
        fabric = self._fabric
        macs = {cable.port: cable.mac for cable in fabric.plan.namespaces[WAN].cables}
        # The bridge lets go first: a frame in between is lost, never delivered twice.
        await fabric.load_ruleset_async(WAN, faults.detour(*pair))
        relay = DelayedPath(
            fabric.namespace(WAN), *pair, macs[pair[1]], seconds, is_open=lambda: not fabric.is_cut(pair)
        )

        async def end() -> None:
            relay.stop()
            await fabric.load_ruleset_async(WAN, faults.end_detour(*pair))

        return end


def _target(fabric: Fabric, fault: NetworkFault) -> tuple[object, ...]:
    """Return what a fault is done to; two faults of the same target would undo each other."""
    kind = type(fault).__name__
    if isinstance(fault, Path):
        return (kind, *fabric.ports(fault.source, fault.destination))
    if isinstance(fault, LinkDown | ReversePathFilter | NodeAddressChange):
        return (kind, fault.cluster, fault.node)
    return ("change of NAT", fault.site)


def _clashes(standing: tuple[object, ...], target: tuple[object, ...]) -> bool:
    """Say whether two faults cannot be at once: the same, or a relay on a path that something else thins out.

    The relay hears a path before the bridge's rules do.
    """
    thinning = {Loss.__name__, RateLimit.__name__}
    relayed = {standing[0], target[0]} & thinning and Delay.__name__ in (standing[0], target[0])
    return standing == target or (bool(relayed) and standing[1:] == target[1:])


def _check(holds: bool, what: str, remedy: str) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise LabError(f"{what} cannot be", remedy=remedy)


async def _nothing() -> None:
    """Undo what is over already."""


def _in_place(undo: Callable[[], None]) -> Undo:
    async def end() -> None:
        await asyncio.to_thread(undo)

    return end
