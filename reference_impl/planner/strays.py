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
    from reference_impl.state import Observed


@dataclass(slots=True)
class Strays:
    """Remembers since when peers have been astray. Times are seconds of any monotonic clock."""

    _since: dict[str, float] = field(default_factory=dict)

    def due(
        self,
        found: Iterable[Endpoint],
        shown: Iterable[Endpoint],
        answered: Mapping[str, float],
        now: float,
    ) -> frozenset[str]:
        """Return the cluster ids of those to call back now; each once per answer.

        ``found``: peers with the ways that discovery found; ``shown``: the same, as the kernel really sends to them;
        ``answered``: by cluster id, when the address that discovery chose answered last.
        """
        astray = [peer.cluster_id for peer, real in zip(found, shown, strict=True) if _is_astray(peer, real)]
        self._since = {cluster_id: self._since.get(cluster_id, now) for cluster_id in astray}
        due = frozenset(each for each, since in self._since.items() if answered.get(each, since) > since)
        self._since |= dict.fromkeys(due, now)
        return due


def _is_astray(peer: Endpoint, real: Endpoint) -> bool:
    return peer.tunnel_address == peer.private_ip != peer.public_ip == real.tunnel_address


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
