"""Mutants: one deliberate defect each, to prove that the conformance suite sees it. Never active by default.

A mutant is a set of functions from plan to plan. Agents and hooks read its name once, at start, from
``REFERENCE_IMPL_MUTANT``, and each applies its functions in one line between deciding and doing. Without a name
every function returns what it was given.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.protocols.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reference_impl.flows import ServiceFlow
    from reference_impl.operations import Operation
    from reference_impl.planner.exchange import Write
    from reference_impl.planner.ledger import Settlement
    from reference_impl.protocols.election import ElectionTimings, Ground
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.protocols.policy import Decision
    from reference_impl.state import IPAddress, KernelState

VARIABLE = "REFERENCE_IMPL_MUTANT"
Object: TypeAlias = dict[str, Any]
Ways: TypeAlias = "tuple[Endpoint, ...]"
Place: TypeAlias = "tuple[IPAddress, int]"


def _same(value: Any) -> Any:  # noqa: ANN401 - the identity of whatever it is given
    return value


def _same_ways(peers: Ways, _claimed: Mapping[str, Place]) -> Ways:
    return peers


def _same_workloads(objects: list[Object], _cleanup: list[Object]) -> list[Object]:
    return objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Where a defect is put in. Every hook takes what was decided and returns what is done instead."""

    ground: Callable[[Ground], Ground] = _same
    """On what ground the Lease of an active gateway is taken before its time."""
    election: Callable[[ElectionTimings], ElectionTimings] = _same
    """How long a gateway Lease lasts."""
    predecessors: Callable[[Sequence[str]], Sequence[str]] = _same
    """Names of the Endpoints of gateways that were active before, about to be taken back."""
    ways: Callable[[Ways, Mapping[str, Place]], Ways] = _same_ways
    """Peers with the ways found to them, and by cluster id where somebody spoke from who claimed to be the peer."""
    kernel: Callable[[KernelState], KernelState] = _same
    """The desired kernel state of an agent."""
    operations: Callable[[tuple[Operation, ...]], tuple[Operation, ...]] = _same
    """The steps that separate it from the kernel."""
    status: Callable[[Object], Object] = _same
    """A status about to be reported."""
    metrics: Callable[[str], str] = _same
    """The page of metrics."""
    report_time: Callable[[int], int] = _same
    """Unix seconds that a report says it was made at."""
    owners: Callable[[list[Object]], list[Object]] = _same
    """References to what owns a report."""
    conditions: Callable[[list[Object]], list[Object]] = _same
    """The conditions of a member about to be written."""
    mirror: Callable[[], Mirror] = Mirror
    """What is made of lists and watches."""
    received: Callable[[tuple[Object, ...]], tuple[Object, ...]] = _same
    """What the broker holds, before it is judged."""
    decisions: Callable[[Mapping[str, Decision]], Mapping[str, Decision]] = _same
    """What connection policies say of pairs, before the exchange goes by it."""
    expiry: Callable[[frozenset[str]], frozenset[str]] = _same
    """The members that are given up."""
    writes: Callable[[tuple[Write, ...]], tuple[Write, ...]] = _same
    """What the exchange with the broker is about to write."""
    filled: Callable[[tuple[Write, ...]], tuple[Write, ...]] = _same
    """What the broker's agent is about to write into members' mailboxes."""
    settlement: Callable[[Settlement], Settlement] = _same
    """Who is to have which global addresses, before that is written down."""
    manifests: Callable[[list[Object]], list[Object]] = _same
    """Objects about to be applied by a hook."""
    handed: Callable[[list[ServiceFlow]], list[ServiceFlow]] = _same
    """Flows to Services that gateways which stand by are told of."""
    stored: Callable[[list[Object]], list[Object]] = _same
    """Objects about to be written again in the version that is stored now."""
    way_back: Callable[[list[Object], list[Object]], list[Object]] = _same_workloads
    """Workloads of an earlier version, about to take the place of this one's; the second are what cleans nodes."""
    deletions: Callable[[list[Object]], list[Object]] = _same
    """Objects about to be deleted by a hook."""


class UnknownMutantError(Exception):
    """There is no mutant of that name."""


def load_mutant(environ: Mapping[str, str] = os.environ) -> Mutant:
    """Return the mutant that the environment names, or the one that changes nothing."""
    name = environ.get(VARIABLE, "")
    if not name:
        return Mutant()
    from reference_impl.mutants.registry import MUTANTS  # noqa: PLC0415 - not even imported in the normal case

    try:
        return MUTANTS[name]
    except KeyError:
        raise UnknownMutantError(f"{VARIABLE}={name}: there is no such mutant") from None
