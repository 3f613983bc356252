"""Mutants of grounds that are not the usual one: firewalls of others, IPv6."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.state import RouteKind

if TYPE_CHECKING:
    from reference_impl.state import KernelState

Object: TypeAlias = dict[str, Any]


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


def report_families_together(status: Object) -> Object:
    """Say of every family of a peer what is true of its first one."""
    claimed = copy.deepcopy(status)
    first: dict[str, Object] = {}
    for entry in claimed.get("connections") or []:
        told = first.setdefault(entry["endpoint"].get("cluster_id", ""), entry)
        entry |= {key: told[key] for key in ("status", "statusMessage") if key in told}
    return claimed


def keep_mismatches_quiet(status: Object) -> Object:
    """Say nothing of members that share no family with us."""
    kept = [each for each in status.get("connections") or [] if "IPFamilyMismatch" not in each.get("statusMessage", "")]
    return {**status, "connections": kept} if "connections" in status else status
