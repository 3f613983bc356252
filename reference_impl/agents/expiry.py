"""Gives up members from which neither the broker nor the cable has a sign of life (docs/adr/0024)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from reference_impl.protocols.heartbeat import EXPIRY, Expiry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.agents.health import HealthChecker
    from reference_impl.agents.heartbeat import Heartbeat
    from reference_impl.mutants import Mutant
    from reference_impl.planner.status import PeerReport

_LOG = logging.getLogger(__name__)


class MemberExpiry:
    """What the active gateway knows of members' lives, in one answer."""

    def __init__(self, heartbeat: Heartbeat, health: HealthChecker, mutant: Mutant) -> None:
        self._mutant = mutant
        self._heartbeat = heartbeat
        self._health = health
        self._expiry = Expiry()
        self._given_up: frozenset[str] = frozenset()

    def look(self) -> frozenset[str]:
        """Return the members that are given up now, by cluster id."""
        given_up = self._mutant.expiry(self._expiry.look(self._heartbeat.silent, answering(self._health.reports())))
        for member in sorted(given_up - self._given_up):
            _LOG.warning("%s is given up: it neither beats at the broker nor answers through its cable", member)
        for member in sorted(self._given_up - given_up):
            _LOG.warning("%s is back", member)
        self._given_up = given_up
        return given_up


def answering(reports: Iterable[PeerReport]) -> frozenset[str]:
    """Return the members that answered through their cable in the last ``EXPIRY``, or were not asked for that long.

    A gateway that has just taken over is asked anew: that nothing has come back yet says nothing about its member.
    """
    return frozenset(each.endpoint.cluster_id for each in reports if each.silent_for < EXPIRY)
