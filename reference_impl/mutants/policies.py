"""Defects of how connection policies are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_TABLE
from reference_impl.planner.exchange import Side, WriteVerb
from reference_impl.protocols.policy import CONFLICTED, ISOLATED, Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference_impl.planner.exchange import Write
    from reference_impl.state import KernelState


def ignore(_decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """Connect everybody, whatever policies say."""
    return {}


def keep_at_one_end(decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """Go by what policies say of clusters whose names come late; the others' ends are left to them."""
    return {name: decision for name, decision in decisions.items() if name > "a"}


def read_one_way(decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """Take every cluster for the left side only, as soon as there are policies: the first one is nobody's peer."""
    if not decisions:
        return decisions
    return {**decisions, "a": Decision(connects=False, reason=ISOLATED, message="it is not on the right side")}


def let_conflicts_connect(decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """Connect pairs about which policies disagree."""
    return {name: decision for name, decision in decisions.items() if decision.reason != CONFLICTED}


def hold_on() -> Callable[[Mapping[str, Decision]], Mapping[str, Decision]]:
    """Never connect a pair again that was isolated once."""
    isolated: dict[str, Decision] = {}

    def mutate(decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
        isolated.update((name, decision) for name, decision in decisions.items() if not decision.connects)
        return {**decisions, **isolated}

    return mutate


def keep_endpoints(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Keep the Endpoints of clusters that are not to be known any more."""
    return tuple(
        write
        for write in writes
        if (write.side, write.verb, write.obj["kind"]) != (Side.MEMBER, WriteVerb.DELETE, "Endpoint")
    )


def forward_between_members(plan: KernelState) -> KernelState:
    """Believe every source that comes out of a cable, and pass on whatever is for somebody else."""
    ruleset = plan.ruleset
    if ruleset is None or ruleset.table != CABLE_TABLE:
        return plan
    chains = tuple(replace(chain, rules=()) if chain.name == "arriving" else chain for chain in ruleset.chains)
    return replace(plan, ruleset=replace(ruleset, chains=chains))
