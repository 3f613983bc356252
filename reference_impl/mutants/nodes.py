"""Mutants of nodes of the own cluster that come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reference_impl.names import NODE_DEVICE, NODE_TABLE
from reference_impl.operations import Operation, Verb
from reference_impl.state import ForwardingEntry, Neighbour

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.state import IPAddress, KernelState


def know_the_first_ones() -> Callable[[KernelState], KernelState]:
    """Exchange tunnel packets with those nodes only that there were when an agent first laid a tunnel."""
    known: set[IPAddress] = set()

    def mutate(plan: KernelState) -> KernelState:
        if not known:
            known.update(_far_ends(plan))
        kept = (entry for entry in plan.forwarding if entry.device != NODE_DEVICE or entry.destination in known)
        return replace(plan, forwarding=frozenset(kept))

    return mutate


def let_go_when_they_change() -> Callable[[KernelState], KernelState]:
    """Take all routes of the node tunnel away for a look whenever a node at its far ends has come or gone."""
    known: list[frozenset[IPAddress]] = []

    def mutate(plan: KernelState) -> KernelState:
        if plan.ruleset is None or plan.ruleset.table != NODE_TABLE:
            return plan
        there = _far_ends(plan)
        changed = bool(known) and known[-1] != there
        known[:] = [there]
        return replace(plan, routes=frozenset()) if changed else plan

    return mutate


def keep_far_ends(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Never delete where a tunnel leads, nor who is behind it."""
    return tuple(
        step
        for step in operations
        if step.verb is not Verb.REMOVE or not isinstance(step.item, ForwardingEntry | Neighbour)
    )


def own_nothing(_owners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let nobody own what is reported of a node."""
    return []


def _far_ends(plan: KernelState) -> frozenset[IPAddress]:
    return frozenset(entry.destination for entry in plan.forwarding if entry.device == NODE_DEVICE)
