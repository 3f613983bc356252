"""Which flows still go under addresses that they should no longer have: values and one pure question.

Connection tracking keeps what it began with as long as packets come. A client that sends from one port for ever would
keep an address that was taken away from it, and that another owner gets one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reference_impl.state import IPAddress, IPNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """Who goes under which global address now."""

    pool: IPNetwork
    remote: frozenset[IPNetwork]
    """What other members are reached at."""
    whole: bool = False
    """Whether every address of the pool leads somewhere for ever: prefixes are translated, not addresses."""
    held: frozenset[IPAddress]
    """Every address that has an owner."""
    callers: Mapping[IPAddress, frozenset[IPAddress]]
    """As whom a local address calls."""
    others: frozenset[IPAddress]
    """As whom everybody else calls."""
    targets: Mapping[IPAddress, frozenset[IPAddress]]
    """Where a global address leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Which flows can have become stale by a change: those of some ends. The kernel finds them; reading all is slow."""

    sources: frozenset[IPAddress]
    destinations: frozenset[IPAddress]
    remote: frozenset[IPNetwork] = frozenset()
    """Prefixes whose flows are looked at, whoever began them; all flows are looked through for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A translated flow, as connection tracking has it."""

    lasting: bool
    """Whether the ends keep a connection themselves (TCP, SCTP): it cannot go on under another address."""
    source: IPAddress
    destination: IPAddress
    """As its first packet had them before translation."""
    known_as: IPAddress
    """Where answers are sent to."""
    answers_from: IPAddress


def suspects(before: Bindings | None, now: Bindings) -> Suspects | None:
    """Return whose flows to look at after a change; None for all of them.

    At first nobody knows what began before. Later every flow begins with its translation, but one towards a member that
    comes to be known may have begun earlier: whoever sets its route may know it sooner than whoever translates. What
    left by another way is the route agent's to forget.
    """
    if before is None or (before.pool, before.others) != (now.pool, now.others):
        return None
    return Suspects(
        sources=_changed(before.callers, now.callers),
        destinations=_changed(before.targets, now.targets),
        remote=now.remote - before.remote,
    )


def _changed(
    before: Mapping[IPAddress, frozenset[IPAddress]], now: Mapping[IPAddress, frozenset[IPAddress]]
) -> frozenset[IPAddress]:
    return frozenset(address for address in before.keys() | now.keys() if before.get(address) != now.get(address))


def is_stale(flow: Flow, bindings: Bindings) -> bool:
    """Say whether a flow must begin anew: what lasts only if its address is nobody's any more, all else at once.

    One that began before there was a translation for it reaches nobody, and would go on like that.
    """
    if _untranslated(flow, bindings):
        return True
    if bindings.whole:
        return False
    if flow.known_as != flow.source and flow.known_as in bindings.pool:
        allowed = bindings.callers.get(flow.source, bindings.others)
        if flow.known_as not in (bindings.held if flow.lasting else allowed):
            return True
    if flow.answers_from != flow.destination and flow.destination in bindings.pool:
        if flow.lasting:
            return flow.destination not in bindings.held
        return flow.answers_from not in bindings.targets.get(flow.destination, frozenset())
    return False


def _untranslated(flow: Flow, bindings: Bindings) -> bool:
    offered = flow.destination in bindings.targets or (bindings.whole and flow.destination in bindings.pool)
    if flow.answers_from == flow.destination and offered:
        return True
    outwards = any(flow.destination in prefix for prefix in bindings.remote)
    inside = flow.source not in bindings.pool and not any(flow.source in prefix for prefix in bindings.remote)
    return outwards and inside and flow.known_as == flow.source


@dataclass(frozen=True, slots=True)
class ServiceFlow:
    """A flow to a Service, and the backend that was chosen for it where it came in."""

    protocol: int
    """``IPPROTO_TCP`` or ``IPPROTO_UDP``."""
    client: IPAddress
    client_port: int
    service: IPAddress
    service_port: int
    backend: IPAddress
    backend_port: int


def handed_over(
    flows: Iterable[ServiceFlow], services: Collection[IPNetwork], inside: Collection[IPNetwork]
) -> list[ServiceFlow]:
    """Return the flows that another gateway must know of: from outside the cluster to its Services.

    ``inside``: where the cluster's own pods and nodes are; what these call is translated on their own nodes.
    """
    return [
        flow
        for flow in flows
        if any(flow.service in prefix for prefix in services) and not any(flow.client in prefix for prefix in inside)
    ]
