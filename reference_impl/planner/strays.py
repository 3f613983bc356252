"""Peers that WireGuard hears from by their public address although discovery proves the private one.

Both ends turn to each other's private address at about the same time. A packet that went to the public one a moment
before then teaches the kernel the way that was just left, at either end, and each keeps the other there. Who is found
so is told once more where the peer is, as soon as the private address has answered anew: a way that has died does not,
so nobody is called back to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress, Observed


@dataclass(slots=True)
class Strays:
    """Remembers since when peers have been astray. Times are seconds of any monotonic clock."""

    _since: dict[str, float] = field(default_factory=dict)

    def due(
        self,
        peers: Iterable[Endpoint],
        learnt: Mapping[str, tuple[IPAddress, int]],
        answered: Mapping[str, float],
        now: float,
    ) -> frozenset[str]:
        """Return the cluster ids of those to call back now; each once per answer.

        ``peers``: with the ways that discovery found; ``learnt``: by cluster id, where the kernel heard from them;
        ``answered``: by cluster id, when the address that discovery chose answered last.
        """
        astray = [peer.cluster_id for peer in peers if _is_astray(peer, learnt.get(peer.cluster_id))]
        self._since = {cluster_id: self._since.get(cluster_id, now) for cluster_id in astray}
        due = frozenset(each for each, since in self._since.items() if answered.get(each, since) > since)
        self._since |= dict.fromkeys(due, now)
        return due


def _is_astray(peer: Endpoint, where: tuple[IPAddress, int] | None) -> bool:
    return where is not None and peer.tunnel_address == peer.private_ip != peer.public_ip == where[0]


def called_back(observed: Observed, keys: frozenset[str]) -> Observed:
    """Return what was observed as if nothing had been learnt of some WireGuard peers: they are told again. Pure."""
    if not keys:
        return observed
    places = {key: (address, port) for key, address, port in observed.located}
    peers = frozenset(
        replace(peer, endpoint=places.get(peer.public_key)) if peer.public_key in keys else peer
        for peer in observed.state.peers
    )
    return replace(observed, state=replace(observed.state, peers=peers), roaming=observed.roaming - keys)
