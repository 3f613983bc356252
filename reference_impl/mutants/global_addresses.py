"""Mutants of global addresses: who gets which, and what becomes of packets to and from them."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.mutants.data_plane import with_chain
from reference_impl.names import CABLE_DEVICE, GLOBAL_TABLE
from reference_impl.planner.exchange import Side
from reference_impl.planner.ledger import RESERVED, gateway_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reference_impl.planner.exchange import Write
    from reference_impl.planner.ledger import Settlement
    from reference_impl.state import KernelState

GLOBAL_ADDRESSES = "100.64.0.0/10"
"""What all members' ranges are taken from."""
_UDP_DOOR = re.compile(r"[\d.]+ \. 17 \. (\d+)")
"""Address and port of a Service, where the rules look it up."""
_LOOKS_CLOSED = 3


def compact(settlement: Settlement) -> Settlement:
    """Leave no gaps: whoever came after one that is gone moves up."""
    places = itertools.count(RESERVED)
    return _with_held(
        settlement,
        {owner: tuple(itertools.islice(places, len(held))) for owner, held in _by_place(settlement)},
    )


def count_anew_at_start() -> Callable[[Settlement], Settlement]:
    """Give out all addresses anew whenever an agent starts."""
    looks = itertools.count()
    return lambda settlement: settlement if next(looks) else compact(settlement)


def count_from_the_start(settlement: Settlement) -> Settlement:
    """Give those who want several addresses the first ones of the pool, whoever has them."""
    held = settlement.ledger.held.items()
    return _with_held(
        settlement,
        {owner: tuple(range(RESERVED, RESERVED + len(mine))) if len(mine) > 1 else mine for owner, mine in held},
    )


def let_nothing_rest(settlement: Settlement) -> Settlement:
    """Give out at once what was given back."""
    return replace(settlement, ledger=replace(settlement.ledger, resting={}))


def refuse_nobody(settlement: Settlement) -> Settlement:
    """Say "allocated" to those for whom there is nothing."""
    return replace(settlement, refused={})


def evict(settlement: Settlement) -> Settlement:
    """While there is not enough for somebody, take their address from those who have one."""
    if not settlement.refused:
        return settlement
    return _with_held(settlement, {owner: mine for owner, mine in settlement.ledger.held.items() if len(mine) > 1})


def share_what_is_left(settlement: Settlement) -> Settlement:
    """Give those who want more than there is what there is."""
    ledger = settlement.ledger
    taken = {offset for mine in ledger.held.values() for offset in mine} | {*ledger.resting}
    left = iter([offset for offset in range(RESERVED, ledger.pool.num_addresses - 1) if offset not in taken])
    more = {owner: (*ledger.held.get(owner, ()), *left) for owner in settlement.refused}
    return _with_held(settlement, {**ledger.held, **{owner: mine for owner, mine in more.items() if mine}})


def serve_whoever_is_meant(plan: KernelState) -> KernelState:
    """Let the own Service answer datagrams at every global address that is asked at its port, whoever's it is."""
    return _with_doors_at_home(plan, "")


def share_with_whoever_is_meant(plan: KernelState) -> KernelState:
    """Take the own Service and another cluster's for one: every third flow stays at home."""
    return _with_doors_at_home(plan, "numgen random mod 3 == 0 ")


def choose_one_backend(plan: KernelState) -> KernelState:
    """Choose a Service's backend by the Service's address: always the same one."""
    return _edit_rules(
        plan, "to-", lambda rules: (rule.replace("jhash ip saddr . th sport", "jhash ip daddr") for rule in rules)
    )


def call_as_the_gateway(plan: KernelState) -> KernelState:
    """Let everybody call as the gateway itself, under an address that no object names."""

    def edit(rules: tuple[str, ...]) -> Iterable[str]:
        for rule in rules:
            yield rule
            if found := re.fullmatch(r"ip saddr (\S+) accept", rule):
                yield f"snat ip to {_gateway(found[1])}"

    return _edit_rules(plan, "leaving", edit)


def call_as_the_cluster(plan: KernelState) -> KernelState:
    """Let pods without an address of their own call as the cluster, whatever GlobalEgressIPs say of them."""
    return _edit_rules(plan, "leaving", lambda rules: (rule for rule in rules if "vmap" not in rule))


def call_as_anybody(plan: KernelState) -> KernelState:
    """Use a pod's own address for what comes in alone."""
    return _edit_rules(plan, "leaving", lambda rules: (rule for rule in rules if "saddr map" not in rule))


def use_few_ports(plan: KernelState) -> KernelState:
    """Leave 4,096 ports of an address to those who call under it."""
    single = re.compile(r"snat ip to ([0-9.]+)")

    def edit(rules: tuple[str, ...]) -> Iterable[str]:
        for rule in rules:
            if found := single.fullmatch(rule):
                yield f"meta l4proto {{ tcp, udp, sctp }} snat ip to {found[1]}:1024-5119"
            yield rule

    return _edit_rules(plan, "as-", edit)


def translate_ports_only(plan: KernelState) -> KernelState:
    """Translate what has ports, and nothing else."""
    return _edit_rules(
        plan,
        "arriving",
        lambda rules: (f"meta l4proto {{ tcp, udp }} {rule}" if "daddr map" in rule else rule for rule in rules),
    )


def ignore_errors(plan: KernelState) -> KernelState:
    """Leave ICMP errors as they are, and what they quote."""
    rule = "icmp type { destination-unreachable, time-exceeded } notrack"
    return with_chain(plan, GLOBAL_TABLE, "mutant", "prerouting", (rule,), priority="raw")


def ignore_answers(plan: KernelState) -> KernelState:
    """Leave the source of datagrams as it is that pods answer with."""
    doors = _udp_doors(plan)
    if not doors:
        return plan
    rule = f'iifname != "{CABLE_DEVICE}" udp sport {{ {", ".join(sorted(doors))} }} notrack'
    return with_chain(plan, GLOBAL_TABLE, "mutant", "prerouting", (rule,), priority="raw")


def close_while_starting() -> Callable[[KernelState], KernelState]:
    """Let nothing translated pass during the first looks of an agent."""
    looks = itertools.count()

    def mutate(plan: KernelState) -> KernelState:
        if plan.ruleset is None or plan.ruleset.table != GLOBAL_TABLE or next(looks) >= _LOOKS_CLOSED:
            return plan
        return with_chain(plan, GLOBAL_TABLE, "mutant", "forward", ("ct status dnat counter drop",))

    return mutate


def withhold_inner_ranges(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Publish of a cluster with global ranges nothing but these."""
    return tuple(_without_inner_ranges(write) if write.side is Side.BROKER else write for write in writes)


def _without_inner_ranges(write: Write) -> Write:
    spec = write.obj.get("spec") or {}
    if write.obj["kind"] != "Cluster" or not spec.get("global_cidr"):
        return write
    hidden = dict.fromkeys(("cluster_cidr", "service_cidr"), spec["global_cidr"])
    return replace(write, obj={**write.obj, "spec": {**spec, **hidden}})


def _with_doors_at_home(plan: KernelState, condition: str) -> KernelState:
    doors = _udp_doors(plan).items()
    rules = [f"ip daddr {GLOBAL_ADDRESSES} udp dport {port} {condition}{way}" for port, way in doors]
    return _edit_rules(plan, "arriving", lambda known: (*rules, *known))


def _by_place(settlement: Settlement) -> list[tuple[str, tuple[int, ...]]]:
    return sorted(settlement.ledger.held.items(), key=lambda item: item[1])


def _with_held(settlement: Settlement, held: Mapping[str, tuple[int, ...]]) -> Settlement:
    return replace(settlement, ledger=replace(settlement.ledger, held=held))


def _gateway(pool: str) -> str:
    return str(gateway_address(ip_network(pool)))


def _udp_doors(plan: KernelState) -> dict[str, str]:
    """Return where the ports of Services lead."""
    maps = plan.ruleset.maps if plan.ruleset is not None and plan.ruleset.table == GLOBAL_TABLE else ()
    return {found[1]: way for each in maps for key, way in each.elements if (found := _UDP_DOOR.fullmatch(key))}


def _edit_rules(plan: KernelState, name: str, edit: Callable[[tuple[str, ...]], Iterable[str]]) -> KernelState:
    """Edit the rules of the global table's chains whose names begin like that."""
    if plan.ruleset is None or plan.ruleset.table != GLOBAL_TABLE:
        return plan
    chains = tuple(
        replace(chain, rules=tuple(edit(chain.rules))) if chain.name.startswith(name) else chain
        for chain in plan.ruleset.chains
    )
    return replace(plan, ruleset=replace(plan.ruleset, chains=chains))
