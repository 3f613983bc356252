"""Mutants of what is left behind: steps that are not taken, objects that are not deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.operations import Operation, Verb
from reference_impl.planner.exchange import Side, Write, WriteVerb
from reference_impl.state import Link, Route, Rule, Ruleset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reference_impl.operations import Item

FINALIZER = "submariner.io/mutant"


def keep_devices(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Never delete a tunnel device."""
    return _without_removal(operations, Link)


def keep_rules(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Never delete a policy rule."""
    return _without_removal(operations, Rule)


def keep_tables(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Never delete an nftables table."""
    return _without_removal(operations, Ruleset)


def keep_routes(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Never delete a route."""
    return _without_removal(operations, Route)


def keep_ghosts(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Never delete what another member withdrew."""
    return tuple(write for write in writes if (write.side, write.verb) != (Side.MEMBER, WriteVerb.DELETE))


def give_up_nobody(_given_up: frozenset[str]) -> frozenset[str]:
    """Keep members that are silent everywhere for ever."""
    return frozenset()


def hold_objects(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Put a finalizer on what comes from the broker, which only agents would take off again, and none does."""
    return tuple(
        replace(write, obj={**write.obj, "metadata": {**write.obj["metadata"], "finalizers": [FINALIZER]}})
        if write.side is Side.MEMBER and write.verb is WriteVerb.CREATE
        else write
        for write in writes
    )


def remember_ranges() -> Callable[[tuple[Write, ...]], tuple[Write, ...]]:
    """Deliver of each cluster what it ever announced, beside what it announces now."""
    ever: dict[tuple[str, str], dict[str, None]] = {}

    def with_old_ranges(write: Write) -> Write:
        spec = write.obj.get("spec") or {}
        if write.side is not Side.MEMBER or write.verb is WriteVerb.DELETE:
            return write
        ranges = {
            name: list(_added(ever.setdefault((spec["cluster_id"], name), {}), spec[name]))
            for name in ("cluster_cidr", "service_cidr", "subnets")
            if spec.get(name)
        }
        return replace(write, obj={**write.obj, "spec": {**spec, **ranges}})

    return lambda writes: tuple(map(with_old_ranges, writes))


def _added(known: dict[str, None], news: Iterable[str]) -> dict[str, None]:
    known.update(dict.fromkeys(news))
    return known


def _without_removal(operations: tuple[Operation, ...], kind: type[Item]) -> tuple[Operation, ...]:
    return tuple(
        operation
        for operation in operations
        if operation.verb is not Verb.REMOVE or not isinstance(operation.item, kind)
    )
