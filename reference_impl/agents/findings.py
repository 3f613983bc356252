"""What a gateway agent found in one look, besides round trips: the facts from which all its words are made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reference_impl.planner.membership import Refusal
    from reference_impl.planner.status import PeerReport
    from reference_impl.protocols.heartbeat import Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look found besides round trips."""

    failure: str
    """What of the plan could not be done, "" if all was."""
    notices: tuple[str, ...] = ()
    """What an operator should know besides."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """By cluster id: what part of its cable is down."""
    impostors: Mapping[str, str] = field(default_factory=dict)
    """By cluster id: how it is known that whoever is at its address does not have its key."""
    forgeries: tuple[Refusal, ...] = ()
    """Members that wrote in the name of others, or whose identity is presented twice."""
    lives: Mapping[str, Life] = field(default_factory=dict)
    """By cluster id: what its heartbeat at the broker says."""

    def about(self, peers: Iterable[PeerReport]) -> tuple[PeerReport, ...]:
        """Return the reports of round trips with what was found of the same peers."""
        return tuple(
            replace(peer, lacking=self.lacking.get(name, ""), impostor=self.impostors.get(name, ""))
            for peer in peers
            for name in (peer.endpoint.cluster_id,)
        )
