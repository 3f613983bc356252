"""Observe the oracle's cells with real packets and compare tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from l3conf.expectations.diagnosis import diagnose
from l3conf.expectations.flow import TRIES, Flow, describe
from l3conf.observation import Observation, Outcome
from l3conf.oracle import Expectation, SeenAs, Via, compare
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Pod, Service
    from l3conf.model.topology import IPAddress
    from l3conf.observation import Probe
    from l3conf.oracle import Cell, Difference, Site, Table

_TRIES_PER_BACKEND = 5
"""Probes per backend and round: kube-proxy chooses at random, and every backend must be met."""
_MOST_LINES = 12
_USUAL_TTL = 64
"""What hosts send with anyway; a probe that names its TTL gets a socket of its own."""


@dataclass(slots=True)
class Reachability:
    """A table of expectations over the pods and Services of one lab."""

    harness: Harness
    table: Table
    pods: Mapping[Site, Pod]
    services: Mapping[str, Service]
    """By cluster."""
    exports: Mapping[str, Service] = field(default_factory=dict)
    """The same Services at their global addresses, by cluster; of those that have any."""
    sources: Callable[[], Mapping[Site, frozenset[IPAddress]]] = dict
    """Asks as which global addresses each pod is seen now."""
    _observed: dict[Cell, tuple[Expectation, str]] = field(default_factory=dict)

    def holds(self, *, within: str = "T_probe", started: float | None = None) -> None:
        """Expect every cell to show what the table says, or raise with the cells that differ and the first one's path.

        What once was right need not be shown again: only differing cells are asked anew until the budget ends.
        """
        differing: list[Difference] = []

        def look() -> str | Pending:
            self._observe([difference.cell for difference in differing] or list(self.table))
            differing[:] = compare(self.table, self._observed)
            lines = "\n".join(f"  {difference}" for difference in differing[:_MOST_LINES])
            return Pending(f"{len(differing)} of {len(self.table)} cells differ:\n{lines}") if differing else "equal"

        try:
            self.harness.wait(f"{len(self.table)} cells of reachability", look, within, started=started)
        except DeadlineMissedError as missed:
            flows = [self._flow(difference.cell) for difference in differing[:1]]
            raise AssertionError("\n".join([str(missed), *diagnose(self.harness, flows)])) from None

    @property
    def reached(self) -> list[Cell]:
        """The cells in which something arrived."""
        return [cell for cell, (seen, _) in self._observed.items() if seen.reachable]

    def _observe(self, cells: list[Cell]) -> None:
        """Ask each cell once; Services often enough to meet every backend."""
        asked = [cell for cell in cells for _ in range(self._tries(cell))]
        seen = self.harness.send([self._probe(cell) for cell in asked])
        sources = self.sources() if any(self.table[cell].seen_as is SeenAs.GLOBAL for cell in cells) else {}
        for cell, observation in zip(asked, seen, strict=True):
            actual = self._actual_cell(cell, observation)
            if actual in self.table and not self._satisfied(actual):
                self._observed[actual] = self._reading(actual, observation, sources.get(actual.client, frozenset()))

    def _probe(self, cell: Cell) -> Probe:
        """Return what asks a cell; once, and for a third of the time, where silence is the answer."""
        flow, patience = self._flow(cell), self.harness.budgets.get("T_probe")
        return flow.question(patience) if self.table[cell].reachable else flow.probe(patience / TRIES)

    def _tries(self, cell: Cell) -> int:
        return _TRIES_PER_BACKEND if cell.via is Via.SERVICE else 1

    def _satisfied(self, cell: Cell) -> bool:
        return cell in self._observed and not compare({cell: self.table[cell]}, self._observed)

    def _actual_cell(self, cell: Cell, seen: Observation) -> Cell:
        """Return the cell that an observation speaks of: for Services the backend that answered decides."""
        if cell.via is Via.POD or seen.outcome is not Outcome.DELIVERED:
            return cell
        backends = self.services[cell.server.cluster].backends
        server = next((pod.site for pod in backends if pod.place == seen.responder), cell.server)
        return replace(cell, server=server)

    def _reading(self, cell: Cell, seen: Observation, sources: frozenset[IPAddress]) -> tuple[Expectation, str]:
        """Return an observation in the oracle's terms, and in words."""
        if seen.outcome is not Outcome.DELIVERED:
            return Expectation(reachable=False), describe(seen)
        if not self._is_met(cell, seen):
            return Expectation(reachable=False), f"answered by {seen.responder or 'somebody else'}"
        own = self.pods[cell.client].address(cell.family)
        kind = SeenAs.ITSELF if seen.seen_as == own else SeenAs.GLOBAL if seen.seen_as in sources else SeenAs.ANYONE
        return Expectation(reachable=True, seen_as=kind), f"arrived, seen as {seen.seen_as or 'unknown'}"

    def _is_met(self, cell: Cell, seen: Observation) -> bool:
        """Say whether the server that a cell names answered, and not another one at the same address.

        Who answers an echo, a kernel, does not say who it is. Where nothing should arrive, the server is asked.
        """
        server = self.pods[cell.server]
        if seen.responder:
            return seen.responder == server.place
        return self.table[cell].reachable or bool(self.harness.lab.sightings(server.place, [seen.nonce]))

    def _flow(self, cell: Cell) -> Flow:
        server: Pod | Service = self.pods[cell.server]
        if cell.via is Via.SERVICE:
            server = (self.exports if cell.by_global else self.services)[cell.server.cluster]
        # A socket of its own, so a port of its own: connection tracking keeps a port's packets with one backend, and
        # translated to one source.
        ttl = _USUAL_TTL if cell.via is Via.SERVICE or self.table[cell].seen_as is SeenAs.GLOBAL else None
        return Flow(client=self.pods[cell.client], server=server, protocol=cell.protocol, family=cell.family, ttl=ttl)
