"""Mutants of how packets are carried: twice, with other marks, or without being anybody's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.names import CABLE_DEVICE, CABLE_TABLE
from reference_impl.state import Chain, Direction, KernelState

if TYPE_CHECKING:
    from reference_impl.state import Route

_TABLE = "submariner-mutant"


def double_packets(plan: KernelState) -> KernelState:
    """Send everything into the cable twice."""
    rules = tuple(
        f'ip daddr {route.destination} dup to {route.destination[1]} device "{CABLE_DEVICE}"'
        for route in sorted(plan.routes, key=_destination)
        if route.device == CABLE_DEVICE and route.via is not None and route.destination.version == 4  # noqa: PLR2004 - the IP version number
    )
    ruleset = plan.ruleset
    if not rules or ruleset is None or ruleset.table != CABLE_TABLE:
        return plan
    # Copies are made in tables of family ip only: what stands in the lines after this rule makes one.
    another = (
        "counter",
        f"add table ip {_TABLE}",
        f"flush table ip {_TABLE}",
        f"add chain ip {_TABLE} doubled {{ type filter hook postrouting priority filter; }}",
        *(f"add rule ip {_TABLE} doubled {rule}" for rule in rules),
    )
    chain = Chain(name="mutant", hook="forward", rules=("\n".join(another),))
    return replace(plan, ruleset=replace(ruleset, chains=(*ruleset.chains, chain)))


def round_prefixes(plan: KernelState) -> KernelState:
    """Route twice as much as members own: prefixes one bit too short."""
    routes = frozenset(
        replace(route, destination=route.destination.supernet()) if route.via is not None else route
        for route in plan.routes
    )
    routed = {route.destination for route in plan.routes if route.via is not None}
    rules = frozenset(
        replace(rule, prefix=rule.prefix.supernet())
        if rule.direction is Direction.TO and rule.prefix in routed
        else rule
        for rule in plan.rules
    )
    return replace(plan, routes=routes, rules=rules)


def forget_idle_flows(plan: KernelState) -> KernelState:
    """Let TCP through the cable only if it is new or was seen in the last four seconds."""
    ruleset = plan.ruleset
    if ruleset is None or ruleset.table != CABLE_TABLE:
        return plan
    flow = "ip saddr . ip daddr . tcp sport . tcp dport"
    # A set and a second chain in the text of the first: plans know sets of prefixes only.
    memory = ("}", f"set alive {{ typeof {flow}; size 65535; flags dynamic,timeout; timeout 4s; }}")
    hook = ("chain forgetful {", "type filter hook forward priority filter;")
    rules = (
        f"tcp flags & syn == syn update @alive {{ {flow} }}",
        f"meta l4proto tcp {flow} != @alive counter drop",
        f"meta l4proto tcp update @alive {{ {flow} }}",
    )
    chain = Chain(name="mutant", kind="filter", hook="forward", priority="filter", rules=(*memory, *hook, *rules))
    return replace(plan, ruleset=replace(ruleset, chains=(*ruleset.chains, chain)))


def clear_ecn(plan: KernelState) -> KernelState:
    """Forget on the way into the cable that a sender can be told of congestion."""
    ruleset = plan.ruleset
    if ruleset is None or ruleset.table != CABLE_TABLE:
        return plan
    rules = tuple(f'oifname "{CABLE_DEVICE}" {family} ecn set not-ect' for family in ("ip", "ip6"))
    chain = Chain(name="mutant", kind="filter", hook="forward", priority="filter", rules=rules)
    return replace(plan, ruleset=replace(ruleset, chains=(*ruleset.chains, chain)))


def _destination(route: Route) -> tuple[int, int]:
    return int(route.destination.network_address), route.metric
