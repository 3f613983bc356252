"""Mutants of grounds that are not the usual one: firewalls of others, IPv6."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.state import RouteKind

if TYPE_CHECKING:
    from reference_impl.state import KernelState


def respect_firewalls(plan: KernelState) -> KernelState:
    """Leave the policy of everybody's FORWARD chains as it is."""
    return replace(plan, passages=frozenset())


def route_ipv4_only(plan: KernelState) -> KernelState:
    """Give IPv6 no way into any tunnel."""
    return replace(
        plan,
        routes=frozenset(
            route
            for route in plan.routes
            if route.kind is not RouteKind.UNICAST or route.destination.version == 4  # noqa: PLR2004 - the IP version
        ),
    )
