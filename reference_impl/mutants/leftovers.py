"""Mutants of what is left behind: steps that are not taken, objects that are not deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.operations import Operation, Verb
from reference_impl.planner.exchange import Side, Write, WriteVerb
from reference_impl.state import Link, Route, Rule, Ruleset

if TYPE_CHECKING:
    from reference_impl.operations import Item


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


def _without_removal(operations: tuple[Operation, ...], kind: type[Item]) -> tuple[Operation, ...]:
    return tuple(
        operation
        for operation in operations
        if operation.verb is not Verb.REMOVE or not isinstance(operation.item, kind)
    )
