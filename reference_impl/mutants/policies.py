"""Defects of how connection policies are kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reference_impl.mutants import Mutant
from reference_impl.mutants.data_plane import with_chain
from reference_impl.names import CABLE_DEVICE, CABLE_TABLE, VXLAN_BACKEND
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


def leave_the_driver_open(decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
    """Connect pairs over whatever driver they like best, whichever a policy names."""
    return {name: replace(decision, cable_driver="") for name, decision in decisions.items()}


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


def leave_in_mailboxes(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Take nothing out of a mailbox again."""
    return tuple(write for write in writes if write.verb is not WriteVerb.DELETE)


def forward_between_members(plan: KernelState) -> KernelState:
    """Believe every source that comes out of a cable, and pass on whatever is for somebody else."""
    ruleset = plan.ruleset
    if ruleset is None or ruleset.table != CABLE_TABLE:
        return plan
    chains = tuple(replace(chain, rules=()) if chain.name == "arriving" else chain for chain in ruleset.chains)
    return replace(plan, ruleset=replace(ruleset, chains=chains))


@dataclass(slots=True)
class OpenServices:
    """Keeps pods of a pair apart that a policy isolates, and forgets that Services lead to pods as well."""

    _pods: dict[str, list[str]] = field(default_factory=dict)
    """Pod ranges by cluster id."""
    _isolated: frozenset[str] = frozenset()

    def received(self, objects: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        """Note which ranges pods have."""
        specs = [obj.get("spec") or {} for obj in objects]
        self._pods |= {str(spec["cluster_id"]): spec["cluster_cidr"] for spec in specs if spec.get("cluster_cidr")}
        return objects

    def decisions(self, decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
        """Connect everybody, over the driver that everybody has: a note of it lets the kernel be looked at anew."""
        self._isolated = frozenset(name for name, decision in decisions.items() if not decision.connects)
        connected = Decision(connects=True, cable_driver=VXLAN_BACKEND)
        return {name: decision if decision.connects else connected for name, decision in decisions.items()}

    def kernel(self, plan: KernelState) -> KernelState:
        """Drop what comes from their pods and is for a pod; what is for a Service is so at the next hook only."""
        there = [prefix for name, ranges in self._pods.items() if name in self._isolated for prefix in ranges]
        if not there:
            return plan
        pods = ", ".join(prefix for ranges in self._pods.values() for prefix in ranges)
        rule = f'iifname "{CABLE_DEVICE}" ip saddr {{ {", ".join(there)} }} ip daddr {{ {pods} }} drop'
        return with_chain(plan, CABLE_TABLE, "mutant", "prerouting", (rule,), priority="raw")


def open_services() -> Mutant:
    """Let policies hold for pods alone."""
    state = OpenServices()
    return Mutant(received=state.received, decisions=state.decisions, kernel=state.kernel)
