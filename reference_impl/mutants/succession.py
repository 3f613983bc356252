"""Mutants of how one gateway follows another."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_METRIC, STANDBY_METRIC
from reference_impl.protocols.election import Ground

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reference_impl.flows import ServiceFlow
    from reference_impl.protocols.election import ElectionTimings
    from reference_impl.state import KernelState

_LATE = 3.0
_LONG = 60.0


def see_nothing(_ground: Ground) -> Ground:
    """Wait for the Lease to run out, whatever became of its holder."""
    return Ground.NONE


def hold_for_long(timings: ElectionTimings) -> ElectionTimings:
    """Run for a Lease that outlives its holder by a minute."""
    return replace(timings, lease=_LONG)


def tell_of_no_flows(flows: list[ServiceFlow]) -> list[ServiceFlow]:
    """Leave whoever follows in ignorance of which backends were chosen."""
    return flows[:0]


def keep_predecessors(_names: Sequence[str]) -> Sequence[str]:
    """Leave the Endpoint of the gateway that was active before where it is."""
    return ()


def announce_first() -> Callable[[KernelState], KernelState]:
    """Lay routes into cables some seconds after having taken over from another gateway."""
    stood_by, since = False, 0.0

    def plan(wanted: KernelState) -> KernelState:
        nonlocal stood_by, since
        if any(route.metric == STANDBY_METRIC for route in wanted.routes):
            stood_by, since = True, time.monotonic()
        late = frozenset(route for route in wanted.routes if route.metric == CABLE_METRIC)
        if not (stood_by and late):
            return wanted
        stood_by = time.monotonic() - since < _LATE
        return replace(wanted, routes=wanted.routes - late) if stood_by else wanted

    return plan
