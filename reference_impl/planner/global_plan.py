"""What a member's global addresses mean for packets and for words: everything but who gets which address. Pure.

IPv4 addresses are given out one by one and come from the ledger (``planner.ledger``). IPv6 prefixes are translated as a
whole (``planner.prefix_translation``): there is nothing to give out.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.planner.conditions import FALSE, TRUE, Condition
from reference_impl.planner.endpoints import by_service, cluster_ips, hosts_behind
from reference_impl.planner.global_objects import Target, name_of, uid_of
from reference_impl.planner.global_rules import global_ruleset
from reference_impl.planner.global_status import ALLOCATED, Said, plan_statuses
from reference_impl.planner.global_targets import resolve_targets
from reference_impl.planner.ledger import gateway_address
from reference_impl.planner.prefix_translation import (
    AmbiguousPrefixesError,
    plan_prefixes,
    plan_services,
    service_address,
    translated,
)
from reference_impl.planner.translation import bindings, read_pods, translate, translate_prefixes
from reference_impl.state import KernelState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reference_impl.flows import Bindings
    from reference_impl.planner.global_objects import Egress, Ingress, Name, Unusable
    from reference_impl.planner.ledger import Settlement
    from reference_impl.planner.translation import Translation
    from reference_impl.protocols.objects import Cluster
    from reference_impl.state import IPAddress, IPNetwork

Object: TypeAlias = dict[str, Any]
FOUR, SIX = 4, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalFacts:
    """Everything that the plan of the active gateway rests on."""

    own: Cluster
    settlement: Settlement | None
    """None without a global range of IPv4."""
    ingress: tuple[Ingress, ...]
    egress: tuple[Egress, ...]
    unusable: tuple[Unusable, ...]
    objects: tuple[Object, ...]
    """All that these were read from."""
    pods: tuple[Object, ...]
    services: tuple[Object, ...]
    slices: tuple[Object, ...]
    pod_ranges: tuple[IPNetwork, ...]
    """Of all nodes."""
    gateway: Mapping[int, IPAddress]
    """Under which addresses the active gateway appears among pods, by IP version."""
    remote: tuple[IPNetwork, ...]
    """What other members are reached at."""
    devices: tuple[str, ...]
    """What cables come out of and go into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPlan:
    """What is wanted."""

    kernel: KernelState
    bindings: tuple[Bindings, ...]
    statuses: tuple[Said, ...]
    problem: str = ""
    """Why IPv6 prefixes are not translated; "" if they are, or need not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is wanted of one IP version."""

    translation: Translation
    bindings: Bindings
    statuses: tuple[Said, ...]
    problem: str = ""


def plan_global(facts: GlobalFacts) -> GlobalPlan:
    """Plan rules, flows and statuses for every IP version in which the cluster has a global range."""
    parts = [_whole_prefixes(facts, pool) for pool in facts.own.global_cidrs if isinstance(pool, IPv6Network)]
    if facts.settlement is not None:
        parts.append(_single_addresses(facts, facts.settlement))
    return GlobalPlan(
        kernel=KernelState(ruleset=global_ruleset([part.translation for part in parts], facts.devices)),
        bindings=tuple(part.bindings for part in parts),
        # Objects hold addresses of one version: where there is IPv4, its.
        statuses=parts[-1].statuses if parts else (),
        problem=next((part.problem for part in parts if part.problem), ""),
    )


def object_version(own: Cluster) -> int:
    """Return of which IP version the addresses are that objects hold."""
    return FOUR if any(each.version == FOUR for each in own.global_cidrs) else SIX


def reserved_ranges(own: Cluster, remote: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    """Return the ranges in which no endpoint of a Service can be: virtual addresses, and those of other members."""
    return (*own.service_cidrs, *own.global_cidrs, *remote)


def _single_addresses(facts: GlobalFacts, settlement: Settlement) -> _Part:
    own = facts.gateway.get(FOUR)
    translation = translate(
        settlement.ledger,
        ingress=facts.ingress,
        egress=facts.egress,
        pods=read_pods(facts.pods, FOUR),
        services=facts.services,
        slices=facts.slices,
        gateway=(gateway_address(settlement.ledger.pool), own) if own is not None else None,
        inside=facts.own.pod_cidrs,
        reserved=reserved_ranges(facts.own, facts.remote),
    )
    return _Part(
        translation=translation,
        bindings=bindings(translation, settlement.ledger, facts.remote),
        statuses=plan_statuses(facts.objects, settlement, facts.unusable, _targets(facts, FOUR)),
    )


def _targets(facts: GlobalFacts, version: int) -> Mapping[str, Condition]:
    return resolve_targets(
        facts.ingress,
        facts.egress,
        version=version,
        pods=facts.pods,
        services=facts.services,
        slices=facts.slices,
        reserved=reserved_ranges(facts.own, facts.remote),
    )


def _whole_prefixes(facts: GlobalFacts, pool: IPv6Network) -> _Part:
    known: dict[Name, IPAddress] = {}
    prefixes: Mapping[IPNetwork, IPNetwork] = {}
    problem = ""
    try:
        prefixes = plan_prefixes(facts.pod_ranges, pool)
        subnets = plan_services(facts.own.pod_cidrs, facts.own.service_cidrs, pool)
        for each in facts.services:
            local = next((own for own in cluster_ips(each) if isinstance(own, IPv6Address)), None)
            if local is not None and (address := service_address(local, subnets)) is not None:
                known[name_of(each)] = address
    except AmbiguousPrefixesError as error:
        problem, prefixes = str(error), {}
    translation = translate_prefixes(
        pool, prefixes, known=known, ingress=facts.ingress, services=facts.services, slices=facts.slices
    )
    return _Part(
        translation=translation,
        bindings=bindings(translation, None, facts.remote),
        statuses=_prefix_statuses(facts, pool, known, prefixes, problem),
        problem=problem,
    )


def _prefix_statuses(
    facts: GlobalFacts,
    pool: IPv6Network,
    services: Mapping[Name, IPAddress],
    prefixes: Mapping[IPNetwork, IPNetwork],
    problem: str,
) -> tuple[Said, ...]:
    """Return what objects say where an address follows from what it stands for."""
    wrong = {uid_of(each.obj): each for each in facts.unusable}
    pods = {
        each.name: translated(each.address, pool)
        for each in read_pods(facts.pods, SIX)
        if isinstance(each.address, IPv6Address)
    }
    behind = by_service(facts.slices)
    reserved = reserved_ranges(facts.own, facts.remote)

    def address_of(each: Ingress) -> IPAddress | None:
        if each.endpoint is None:
            return (services if each.target is Target.SERVICE else pods).get(each.named)
        if not isinstance(each.endpoint, IPv6Address) or not any(each.endpoint in cidr for cidr in prefixes.values()):
            return None  # what is outside has no prefix that is translated
        there = each.endpoint in hosts_behind(behind.get(each.named, ()), SIX, reserved)
        return translated(each.endpoint, pool) if there else None

    asked = {each.claim.owner: each for each in facts.ingress}
    targets = _targets(facts, SIX)
    said = []
    for obj in facts.objects:
        uid = uid_of(obj)
        addresses: tuple[str, ...] = ()
        if uid in wrong:
            found = _no(wrong[uid].reason, wrong[uid].message)
        elif problem:
            found = _no("AmbiguousPrefixes", problem)
        elif uid not in asked:
            found = _no("PrefixTranslated", "every pod calls under an address of its own: prefixes are translated")
        elif (address := address_of(asked[uid])) is None:
            found = _no("TargetMissing", f"{'/'.join(asked[uid].named)} has no address of IPv6 that is translated")
        else:
            addresses = (str(address),)
            found = Condition(type=ALLOCATED, status=TRUE, reason="Success", message="its prefix is translated")
        said.append(Said(obj=obj, condition=found, target=targets.get(uid), addresses=addresses))
    return tuple(said)


def _no(reason: str, message: str) -> Condition:
    return Condition(type=ALLOCATED, status=FALSE, reason=reason, message=message)


def ranges_of(nodes: Iterable[Sequence[IPNetwork]]) -> tuple[IPNetwork, ...]:
    """Return the pod ranges of all nodes."""
    return tuple(each for ranges in nodes for each in ranges)
