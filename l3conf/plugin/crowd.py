"""More flows from a cluster's pods to one destination than one address has ports (RFC 6056, RFC 7422)."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import BusyHostError, LabError
from l3conf.expectations.places import PORT
from l3conf.model.topology import IPFamily
from l3conf.probes.many_flows import Asked, from_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from l3conf.expectations import Pod, Service
    from l3conf.model.topology import IPAddress
    from l3conf.plugin.lab import Lab

FIRST = 1024
"""Lowest source port: translators keep those below to themselves (RFC 4787, REQ-3)."""
PAUSE, FORGETTING = 2.5, 110.0
"""Seconds after which each flow is asked once more, and for which it is then kept. RFC 4787 (REQ-5) grants a flow two
minutes; Linux does so to one that goes on after 2 s, and 30 s to any other (nf_conntrack_udp_timeout)."""
SAMPLE = 10
"""Every which one is asked again when all have begun."""
_TABLE = ("/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/net/netfilter/nf_conntrack_max")
_ENTRIES = 4
"""Entries that a flow may cost a gateway: its own, and those of the packets that tunnels make of it, with a source port
for each flow (RFC 7348, section 5); and room. Who needs more is not excused."""
_FULL = 0.9
"""Share of its table above which a node has no room for more: Linux forgets flows early then."""
_SHOWN = 10
Caller = tuple[str, int]
"""A pod and its source port."""
Translated = tuple["IPAddress", int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What became of many flows: as whom the server saw each when it began, and when all had begun."""

    first: Mapping[Caller, Translated]
    second: Mapping[Caller, Translated]
    """Of a sample."""
    unanswered: frozenset[Caller]
    changed: frozenset[Caller] = frozenset()
    """Seen as somebody else already while others began."""

    @property
    def refused(self) -> int:
        """Return how many flows were not answered at the beginning, or not any more."""
        return len(self.unanswered)

    def confused(self, sources: Collection[IPAddress]) -> list[str]:
        """Return a line for flows that were seen as others than ``sources``, as each other, or not as before."""
        return [*self._faults(sources)][:_SHOWN]

    def _faults(self, sources: Collection[IPAddress]) -> Iterator[str]:
        owners: dict[Translated, Caller] = {}
        for caller, seen in self.first.items():
            if seen[0] not in sources:
                yield f"{_flow(caller)} is seen as {seen[0]}"
            if seen in owners:
                yield f"{_flow(caller)} and {_flow(owners[seen])} are both seen as {seen[0]} port {seen[1]}"
            owners[seen] = caller
        moved = self.changed | {caller for caller, seen in self.second.items() if self.first.get(caller, seen) != seen}
        for caller in sorted(moved):
            yield f"{_flow(caller)} is not seen any more as {self.first[caller][0]} port {self.first[caller][1]}"


@dataclass(frozen=True, slots=True)
class Table:
    """A node's table of connections: how many it holds, and how many it may."""

    count: int
    limit: int


def _flow(caller: Caller) -> str:
    return f"{caller[0]} port {caller[1]}"


def gather(lab: Lab, clients: Sequence[Pod], service: Service, flows: int) -> Crowd:
    """Open so many flows, as many from each client, and ask some of each again when all have begun.

    The row is untestable where nodes cannot keep so many. ``BusyHostError`` if the machine is too slow to have them all
    open at once: a translator may then have forgotten the first, whoever is to blame.
    """
    cluster = clients[0].site.cluster
    _skip_if(too_small(_tables(lab, cluster), flows))
    each, destination = -(-flows // len(clients)), str(service.address(IPFamily.IPV4))
    began = time.monotonic()
    first = {client.name: _ask(lab, client, destination, 1, each, PAUSE) for client in clients}
    again = time.monotonic()
    second = {client.name: _ask(lab, client, destination, SAMPLE, each // SAMPLE, 0.0) for client in clients}
    ended = time.monotonic()
    asked = sum(len(answer.seen.keys() | answer.unanswered) for answer in first.values())
    lab.run.note(f"{asked} flows began in {again - began:.1f} s; a sample was asked again in {ended - again:.1f} s")
    unanswered = frozenset(
        (name, port) for part in (first, second) for name, answer in part.items() for port in answer.unanswered
    )
    if not unanswered and asked < flows:
        raise LabError(f"{asked} source ports are free, {flows} are needed")
    if ended - began > FORGETTING:
        raise BusyHostError(f"{asked} flows took {ended - began:.0f} s, and are kept for {FORGETTING:g} s")
    crowd = Crowd(
        first=_by_caller(first),
        second=_by_caller(second),
        unanswered=unanswered,
        changed=frozenset((name, port) for name, answer in first.items() for port in answer.changed),
    )
    if crowd.refused or crowd.confused({address for address, _ in crowd.first.values()}):
        _skip_if(overflown(_tables(lab, cluster), flows))
    return crowd


def _by_caller(answers: Mapping[str, Asked]) -> dict[Caller, Translated]:
    return {(name, port): seen for name, answer in answers.items() for port, seen in answer.seen.items()}


def _ask(lab: Lab, client: Pod, destination: str, step: int, count: int, pause: float) -> Asked:
    patience = lab.harness.budgets.get("T_probe")
    words = map(str, (destination, PORT, FIRST, step, count, patience, pause))
    argv = [sys.executable, "-m", "l3conf.probes.many_flows", *words]
    code, out, err = lab.ground.run(client.place, argv, timeout=FORGETTING)
    if code != 0:
        raise LabError(f"many_flows ended with {code}: {err.strip()[-300:]}", where=client.place)
    return from_json(json.loads(out))


def too_small(tables: Mapping[str, Table], flows: int) -> str:
    """Return why so many flows cannot be asked of gateways with these tables; "" if they can."""
    for node, table in tables.items():
        if table.limit < flows:
            return f"{node} tracks {table.limit} flows at most ({_TABLE[1]}), {flows} are needed"
    return ""


def overflown(tables: Mapping[str, Table], flows: int) -> str:
    """Return why flows were lost that a gateway with enough room might have kept; "" if its room is no excuse."""
    for node, table in tables.items():
        if table.limit < flows * _ENTRIES and table.count > table.limit * _FULL:
            return f"{node} tracks {table.limit} flows at most ({_TABLE[1]}), and its table is full"
    return ""


def _tables(lab: Lab, cluster: str) -> dict[str, Table]:
    found = {}
    for node in lab.nodes:
        if node.site.cluster == cluster and node.is_gateway:
            code, out, err = lab.ground.run(node.place, ["cat", *_TABLE], timeout=5.0)
            if code != 0:
                pytest.skip(f"how many connections {node} can track is not known: {err.strip()}")
            found[str(node)] = Table(*map(int, out.split()))
    return found


def _skip_if(reason: str) -> None:
    if reason:
        pytest.skip(reason)
