"""Mutants of how peers are found through NATs. Each takes peers with the ways that were found, and worsens them."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from reference_impl.mutants import Mutant
from reference_impl.mutants.data_plane import with_chain
from reference_impl.names import CABLE_PORT, CABLE_TABLE, NODE_TABLE
from reference_impl.operations import Operation, Verb
from reference_impl.protocols.objects import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.mutants import Place, Ways
    from reference_impl.state import KernelState, WireGuardPeer

Object: TypeAlias = dict[str, Any]
IPV4 = 4
_PATIENCE = 60.0
"""Seconds that the mutant waits which waits for discovery."""


def private_addresses(peers: Ways, _claimed: Mapping[str, Place]) -> Ways:
    """Send to private addresses, whatever was found."""
    return tuple(
        replace(peer, way=Way(address=peer.private_ip, port=peer.port, reason="PrivateAddress", message="by rule"))
        for peer in peers
    )


def whoever_speaks(peers: Ways, claimed: Mapping[str, Place]) -> Ways:
    """Send to where the last discovery message came from, proved or not."""
    return tuple(
        replace(
            peer,
            way=Way(address=claimed[peer.cluster_id][0], port=peer.port, reason="Learnt", message="it said so"),
        )
        if peer.cluster_id in claimed
        else peer
        for peer in peers
    )


def public_addresses(peers: Ways, _claimed: Mapping[str, Place]) -> Ways:
    """Send to public addresses where there are any, whatever answered."""
    return tuple(
        replace(peer, way=Way(address=peer.public_ip, port=peer.port, reason="PublicAddress", message="by rule"))
        if peer.public_ip is not None
        else peer
        for peer in peers
    )


def published_addresses_only() -> Mutant:
    """Believe tunnel packets only from addresses that peers published, wherever they were found to be."""
    published: set[str] = set()

    def ways(peers: Ways, _claimed: Mapping[str, Place]) -> Ways:
        said = (address for peer in peers for address in (peer.private_ip, peer.public_ip))
        published.clear()
        published.update(str(address) for address in said if address is not None and address.version == IPV4)
        return peers

    def kernel(plan: KernelState) -> KernelState:
        rule = f"udp dport {CABLE_PORT} ip saddr != {{ {', '.join(sorted(published))} }} counter drop"
        return with_chain(plan, CABLE_TABLE, "mutant", "input", (rule,)) if published else plan

    return Mutant(ways=ways, kernel=kernel)


def wait_for_everybody() -> Mutant:
    """Connect to nobody until all peers have answered discovery, or a minute has passed since there were such."""
    since: dict[str, float] = {}

    def ways(peers: Ways, _claimed: Mapping[str, Place]) -> Ways:
        open_ = [peer.cluster_id for peer in peers if peer.way is None or peer.way.reason == "Published"]
        for cluster in open_:
            since.setdefault(cluster, time.monotonic())
        waiting = any(time.monotonic() - since[cluster] < _PATIENCE for cluster in open_)
        return () if waiting else peers

    return Mutant(ways=ways)


def resync_addresses() -> Mutant:
    """Set every peer's address again at every look, as it was published."""
    wanted: dict[str, WireGuardPeer] = {}

    def kernel(plan: KernelState) -> KernelState:
        wanted.clear()
        wanted.update({peer.public_key: peer for peer in plan.peers})
        return plan

    def operations(steps: tuple[Operation, ...]) -> tuple[Operation, ...]:
        set_now = {step.item for step in steps}
        return (*steps, *(Operation(Verb.SET, peer) for peer in wanted.values() if peer not in set_now))

    return Mutant(kernel=kernel, operations=operations)


def silent(plan: KernelState) -> KernelState:
    """Keep nothing alive: no keepalives, and no health check leaves a node."""
    plan = replace(plan, peers=frozenset(replace(peer, keepalive=0) for peer in plan.peers))
    rule = "ip daddr @remote_v4 icmp type echo-request counter drop"
    return with_chain(plan, NODE_TABLE, "mutant", "output", (rule,))


def first_mapping_only(plan: KernelState) -> KernelState:
    """Believe the first flow of tunnel packets that comes in, and no later one."""
    rule = f"udp dport {CABLE_PORT} ct state new limit rate over 1/hour burst 1 packets counter drop"
    return with_chain(plan, CABLE_TABLE, "mutant", "input", (rule,))


def relay_nothing(plan: KernelState) -> KernelState:
    """Agree to relay, and forward nothing."""
    if plan.ruleset is None or plan.ruleset.table != CABLE_TABLE:
        return plan
    chains = tuple(
        replace(chain, rules=tuple(rule for rule in chain.rules if not rule.endswith(" accept")))
        for chain in plan.ruleset.chains
    )
    return replace(plan, ruleset=replace(plan.ruleset, chains=chains))


def report_published_addresses(status: Object) -> Object:
    """Say that the address is used which the peer published."""
    claimed = copy.deepcopy(status)
    for entry in claimed.get("connections") or []:
        entry |= {"usingIP": entry["endpoint"].get("private_ip"), "usingNAT": False}
    return claimed
