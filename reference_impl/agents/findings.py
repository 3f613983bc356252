"""What a gateway agent found in one look, besides round trips: the facts from which all its words are made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reference_impl.protocols.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.planner.membership import Refusal
    from reference_impl.planner.obstacles import Obstacle
    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.heartbeat import Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look found besides round trips."""

    failure: str
    """What of the plan could not be done, "" if all was."""
    notices: tuple[str, ...] = ()
    """What an operator should know besides."""
    lacking: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By cluster id and IP version: what part of its cable is down."""
    impostors: Mapping[str, str] = field(default_factory=dict)
    """By cluster id: how it is known that whoever is at its address does not have its key."""
    forgeries: tuple[Refusal, ...] = ()
    """Members that wrote in the name of others, or whose identity is presented twice."""
    lives: Mapping[str, Life] = field(default_factory=dict)
    """By cluster id: what its heartbeat at the broker says."""
    mtus: Mapping[str, int] = field(default_factory=dict)
    """By cluster id: the largest packet that its cable carries in one piece, in bytes."""
    arriving: Mapping[str, bool] = field(default_factory=dict)
    """By cluster id: whether packets of one that does not answer arrive."""
    obstacles: Mapping[str, Obstacle] = field(default_factory=dict)
    """By cluster id: why one that never answered will not."""

    def about(self, peers: Iterable[PeerReport]) -> tuple[PeerReport, ...]:
        """Return the reports of round trips with what was found of the same peers.

        What arrives is counted by peer: it says something of a direction only where no IP version is answered.
        """
        listed = tuple(peers)
        up = {peer.endpoint.cluster_id for peer in listed if peer.health is Health.CONNECTED}
        return tuple(
            replace(
                peer,
                lacking=self.lacking.get((name, peer.version), ""),
                impostor=self.impostors.get(name, ""),
                mtu=self.mtus.get(name, 0),
                arriving=None if name in up else self.arriving.get(name),
                obstacle=None if name in up else self.obstacles.get(name),
            )
            for peer in listed
            for name in (peer.endpoint.cluster_id,)
        )
