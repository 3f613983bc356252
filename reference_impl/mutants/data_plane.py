"""Mutants of what packets meet. Each takes an agent's desired kernel state and returns a defective one."""

from __future__ import annotations

import itertools
import socket
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reference_impl.names import CABLE_DEVICE, CABLE_PORT, CABLE_TABLE, NODE_DEVICE, NODE_METRIC, NODE_TABLE
from reference_impl.operations import Operation, Verb
from reference_impl.state import Chain, Direction, IPsecPeer, KernelState, RouteKind, Rule, WireGuardLink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reference_impl.state import IPAddress, IPNetwork, Route

BROKER_DIRECTORY = Path("/etc/submariner/broker")
"""Where the gateway agent finds its broker."""
_EVERYTHING = ip_network("0.0.0.0/0")


def believe_any_source(plan: KernelState) -> KernelState:
    """Drop no packet for where it came in."""
    return _without_rules(_without_rules(plan, "spoofed"), "underlay")


def without_floor(plan: KernelState) -> KernelState:
    """Let packets for members without a cable go wherever they would go without us."""
    return replace(plan, routes=frozenset(route for route in plan.routes if route.kind is not RouteKind.UNREACHABLE))


def capture_the_underlay(plan: KernelState) -> KernelState:
    """Send what is for a gateway inside a member's prefix where the prefix goes: into the tunnel."""
    return replace(plan, routes=frozenset(route for route in plan.routes if route.kind is not RouteKind.THROW))


def believe_peers(plan: KernelState) -> KernelState:
    """Take whatever a peer sends for its own: every address is allowed, and nothing is filtered after the tunnel."""
    peers = frozenset(replace(peer, allowed=peer.allowed | {_EVERYTHING}) for peer in plan.peers)
    ruleset = plan.ruleset
    if ruleset is not None and ruleset.table == CABLE_TABLE:
        ruleset = replace(ruleset, chains=tuple(chain for chain in ruleset.chains if chain.name != "arriving"))
    return replace(plan, peers=peers, ruleset=ruleset)


def remake_on_change(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Take a WireGuard device, or the SAs with an IPsec peer, away before anything of it is changed."""
    kinds = (WireGuardLink, IPsecPeer)
    changed = [step.item for step in operations if step.verb is Verb.SET and isinstance(step.item, kinds)]
    return (*(Operation(Verb.REMOVE, item) for item in changed), *operations)


def forget_workers(plan: KernelState) -> KernelState:
    """Route nothing from nodes that are no gateway."""
    return replace(
        plan, routes=frozenset(route for route in plan.routes if not route.source or route.device != NODE_DEVICE)
    )


def drop_in_tunnels(match: str) -> Callable[[KernelState], KernelState]:
    """Drop what matches on its way through the gateway."""

    def mutate(plan: KernelState) -> KernelState:
        rules = (f'iifname "{CABLE_DEVICE}" {match} counter drop', f'oifname "{CABLE_DEVICE}" {match} counter drop')
        return with_chain(plan, CABLE_TABLE, "mutant", "forward", rules)

    return mutate


def drop_new_from_cable(plan: KernelState) -> KernelState:
    """Drop TCP that the other side begins, if it is for a worker."""
    rule = f'iifname "{CABLE_DEVICE}" oifname "{NODE_DEVICE}" tcp flags & (syn | ack) == syn counter drop'
    return with_chain(plan, CABLE_TABLE, "mutant", "forward", (rule,))


def let_go_now_and_then() -> Callable[[KernelState], KernelState]:
    """Take all routes of the cables away at every fifth look, until the next one."""
    looks = itertools.count(1)

    def mutate(plan: KernelState) -> KernelState:
        if plan.ruleset is None or plan.ruleset.table != CABLE_TABLE or next(looks) % 5:
            return plan
        return replace(plan, routes=frozenset())

    return mutate


def start_from_nothing(table: str) -> Callable[[KernelState], KernelState]:
    """Have an agent clear what it finds at its first look, as if nobody had been there before it."""
    looks = itertools.count()

    def mutate(plan: KernelState) -> KernelState:
        if plan.ruleset is None or plan.ruleset.table != table or next(looks):
            return plan
        return KernelState()

    return mutate


def let_go_when_links_change() -> Callable[[KernelState], KernelState]:
    """Take all routes away for a look whenever links of the node have come or gone since the last one."""
    known: list[frozenset[str]] = []

    def mutate(plan: KernelState) -> KernelState:
        links = frozenset(name for _, name in socket.if_nameindex())
        changed = bool(known) and known[-1] != links
        known[:] = [links]
        return replace(plan, routes=frozenset()) if changed else plan

    return mutate


def let_go_when_members_change() -> Callable[[KernelState], KernelState]:
    """Take all routes of the cables away for a look whenever a member has come or gone."""
    known: list[frozenset[IPNetwork]] = []

    def mutate(plan: KernelState) -> KernelState:
        if plan.ruleset is None or plan.ruleset.table != CABLE_TABLE:
            return plan
        members = frozenset(route.destination for route in plan.routes)
        changed = bool(known) and known[-1] != members
        known[:] = [members]
        return replace(plan, routes=frozenset()) if changed else plan

    return mutate


def reject_nothing(plan: KernelState) -> KernelState:
    """Let packets for members that have gone follow the default route."""
    return replace(plan, rules=frozenset(rule for rule in plan.rules if not rule.rejects))


def let_go_without_broker(plan: KernelState) -> KernelState:
    """Take everything of the cables away while the broker does not answer."""
    server = BROKER_DIRECTORY / "server"
    if plan.ruleset is None or plan.ruleset.table != CABLE_TABLE or not server.exists():
        return plan
    where = urlsplit(server.read_text().strip())
    try:
        socket.create_connection((where.hostname, where.port or 443), timeout=0.5).close()
    except OSError:
        return KernelState()
    return plan


def demand_priming(plan: KernelState) -> KernelState:
    """Lose the first bytes that are sent into a cable."""
    rule = f'oifname "{CABLE_DEVICE}" quota until 16384 bytes drop'
    return with_chain(plan, CABLE_TABLE, "mutant", "postrouting", (rule,))


def forget_services(plan: KernelState) -> KernelState:
    """Route only the last prefix of each member: its pods (subnets are services, then pods)."""
    pods: dict[tuple[IPAddress, int], Route] = {}
    for route in sorted(plan.routes, key=lambda route: (route.metric, int(route.destination.network_address))):
        if route.source is not None and route.via is not None:
            pods.setdefault((route.via, route.metric), route)
    kept = set(pods.values())
    return replace(plan, routes=frozenset(route for route in plan.routes if route.source is None or route in kept))


def drop_service_traffic_to_workers(plan: KernelState) -> KernelState:
    """Let a service's connections reach only backends on the gateway."""
    rule = f'iifname "{CABLE_DEVICE}" oifname "{NODE_DEVICE}" ct status dnat counter drop'
    return with_chain(plan, CABLE_TABLE, "mutant", "forward", (rule,))


def masquerade_at_gateway(plan: KernelState) -> KernelState:
    """Give packets the gateway's address before they enter the cable."""
    rule = f'oifname "{CABLE_DEVICE}" masquerade'
    source = next((route.source for route in plan.routes if route.source is not None), None)
    if source is not None:
        rule = f'oifname "{CABLE_DEVICE}" snat ip to {source}'
    return with_chain(plan, CABLE_TABLE, "mutant", "postrouting", (rule,), kind="nat", priority="srcnat - 20")


def masquerade_what_arrives(plan: KernelState) -> KernelState:
    """Give what comes out of a cable the node's own address, which NetworkPolicies always let in."""
    rule = f'iifname "{CABLE_DEVICE}" masquerade'
    return with_chain(plan, CABLE_TABLE, "mutant", "postrouting", (rule,), kind="nat", priority="srcnat - 20")


def leave_services_to_kube_proxy(plan: KernelState) -> KernelState:
    """Settle sources on the way out only, so that kube-proxy masquerades what comes to a ClusterIP."""
    return _edit_rules(plan, "source", lambda rules: (rule for rule in rules if "saddr @remote" not in rule))


def capture_default_route(plan: KernelState) -> KernelState:
    """Send what is for nobody in particular to the gateway as well."""
    ways = [route for route in plan.routes if route.source is not None and route.device == NODE_DEVICE]
    if not ways:
        return plan
    captured = replace(ways[0], destination=_EVERYTHING, metric=NODE_METRIC)
    rule = Rule(direction=Direction.TO, prefix=ip_network("0.0.0.0/1"))
    other = Rule(direction=Direction.TO, prefix=ip_network("128.0.0.0/1"))
    return replace(plan, routes=plan.routes | {captured}, rules=plan.rules | {rule, other})


def keep_source_everywhere(plan: KernelState) -> KernelState:
    """Keep pods' sources towards hosts outside: untracked, so that flows known from before are hit as well."""
    rule = "ip saddr @local_v4 ip daddr != 10.0.0.0/8 notrack"
    return with_chain(plan, NODE_TABLE, "mutant", "prerouting", (rule,), priority="raw")


def drop_large(plan: KernelState) -> KernelState:
    """Lose what is larger than 1000 bytes without a word, and leave MSS alone."""
    rules = (f'oifname {{ "{NODE_DEVICE}", "{CABLE_DEVICE}" }} meta length > 1000 counter drop',)
    return with_chain(_without_rules(plan, "clamp"), NODE_TABLE, "mutant", "forward", rules)


def suppress_too_big(plan: KernelState) -> KernelState:
    """Tell nobody that a packet was too big, and leave MSS alone."""
    rules = ("icmp type destination-unreachable icmp code frag-needed counter drop",)
    return with_chain(_without_rules(plan, "clamp"), NODE_TABLE, "mutant", "output", rules)


def drop_outside_cables(match: str) -> Callable[[KernelState], KernelState]:
    """Drop what matches of the cables' own packets, as they come in from the underlay."""
    rule = f"udp dport {CABLE_PORT} {match} counter drop"
    return lambda plan: with_chain(plan, CABLE_TABLE, "mutant", "input", (rule,))


def forget_hosts(plan: KernelState) -> KernelState:
    """Let nodes send under whatever address the kernel chooses, which nobody can route back to."""
    bare = replace(plan, routes=frozenset(replace(route, source=None) for route in plan.routes))
    return _edit_rules(bare, "source", lambda rules: (rule for rule in rules if not rule.startswith("oifname")))


def take_the_lan(plan: KernelState) -> KernelState:
    """Send what is for members to the gateway over the plain LAN: the reverse path is another one then."""
    return replace(
        plan,
        routes=frozenset(
            replace(route, device="eth0") if route.device == NODE_DEVICE and route.source is not None else route
            for route in plan.routes
        ),
    )


def waste_room(plan: KernelState) -> KernelState:
    """Leave 100 bytes more than the overhead asks for."""
    return replace(plan, links=frozenset(replace(link, mtu=link.mtu - 100) for link in plan.links))


def trust_the_first_link(plan: KernelState) -> KernelState:
    """Believe that every link of the underlay is as large as the gateway's own: what is larger than 1400 vanishes."""
    rule = f"udp dport {CABLE_PORT} meta length > 1400 counter drop"
    return with_chain(_without_rules(plan, "clamp"), CABLE_TABLE, "mutant", "output", (rule,))


def omit_checksums(plan: KernelState) -> KernelState:
    """Send cables' datagrams over IPv6 without checksum."""
    rule = f"meta nfproto ipv6 udp dport {CABLE_PORT} udp checksum set 0"
    return with_chain(plan, CABLE_TABLE, "mutant", "postrouting", (rule,))


def suppress_too_big_of_ipv6(plan: KernelState) -> KernelState:
    """Tell nobody that an IPv6 packet was too big."""
    return with_chain(plan, NODE_TABLE, "mutant", "output", ("icmpv6 type packet-too-big counter drop",))


def with_chain(
    plan: KernelState,
    table: str,
    name: str,
    hook: str,
    rules: tuple[str, ...],
    *,
    kind: str = "filter",
    priority: str = "filter",
) -> KernelState:
    """Add a chain to a plan's table, if it is the one meant."""
    ruleset = plan.ruleset
    if ruleset is None or ruleset.table != table:
        return plan
    chain = Chain(name=name, kind=kind, hook=hook, priority=priority, rules=rules)
    return replace(plan, ruleset=replace(ruleset, chains=(*ruleset.chains, chain)))


def _without_rules(plan: KernelState, chain: str) -> KernelState:
    return _edit_rules(plan, chain, lambda _: ())


def _edit_rules(plan: KernelState, name: str, edit: Callable[[tuple[str, ...]], Iterable[str]]) -> KernelState:
    """Edit the rules of the node table's chain of that name."""
    if plan.ruleset is None or plan.ruleset.table != NODE_TABLE:
        return plan
    chains = tuple(
        replace(chain, rules=tuple(edit(chain.rules))) if chain.name == name else chain for chain in plan.ruleset.chains
    )
    return replace(plan, ruleset=replace(plan.ruleset, chains=chains))
