"""What gateways report of their connections beyond up and down, beside what anybody can see of the same."""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations import every, udp
from l3conf.plugin import metrics, paths, round_trips
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.family_block import association_ruleset, blocked
from l3conf.plugin.gateways import CONNECTED, latest_connections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.expectations.wan import WanCapture
    from l3conf.plugin.lab import Lab
    from l3conf.plugin.metrics import Page

_SIZE, _PACKETS = 1000, 20
"""Bytes of payload that no message of a tunnel's own has, and how many such packets show a path."""
_RATE = 500.0
"""Packets a second that are counted."""


@dataclass(frozen=True, slots=True)
class Observability:
    """Reports of a lab's members against captures and probes."""

    lab: Lab

    def wholly_connected(self) -> list[str]:
        """Return a line for every member that says of another that all parts of their connection are connected."""
        return [
            f"{member} says of {peer}: {said}"
            for member, peer in itertools.permutations(self.lab.members.joined, 2)
            for said in [latest_connections(self.lab.apis[member].items(f"{GROUP}/gateways")).get(peer)]
            if said is not None and said.status == CONNECTED
        ]

    def sub_tunnels(self, member: str, peer: str) -> list[int]:
        """Return what tells the tunnel of a peer's Services from that of its pods on the WAN, towards the peer.

        Empty where one tunnel carries both, as the capture of both shows: such a connection has no parts.
        """
        lab = self.lab
        client, server = lab.pods.one_in_each(member, peer)
        found = []
        for destination in (server, lab.services[peer]):
            with lab.wan.capturing() as wan:
                every(udp(client, destination, size=_SIZE) for _ in range(_PACKETS)).arrives()
                sent = [packet for packet in wan.between(member, peer) if len(packet.data) > _SIZE]
            if len(sent) < _PACKETS:
                raise LabError(f"the capture shows {len(sent)} of {_PACKETS} packets to {destination}", where="wan")
            found.append(paths.associations(sent, size=_SIZE))
        pods, services = found
        return sorted(services - pods)

    @contextmanager
    def sub_tunnel_lost(self, peer: str, sub_tunnel: int) -> Iterator[None]:
        """Drop what arrives at a peer's gateways through one sub-tunnel while the context is open."""
        gateways = [node for node in self.lab.nodes if node.site.cluster == peer and node.is_gateway]
        with blocked(self.lab.ground, gateways, association_ruleset(sub_tunnel)):
            self.lab.run.note(f"blocked: ESP {sub_tunnel:#010x} at {peer}")
            yield
        self.lab.run.note(f"no longer blocked: ESP {sub_tunnel:#010x} at {peer}")

    def round_trip_times_agree(self, one: str, other: str) -> None:
        """Expect that the round-trip times which both ends report from now on are those that are measured."""
        round_trips.await_agreement(self.lab, [(one, other), (other, one)], since=time.time())

    def misreported_path(self, member: str, peer: str) -> list[str]:
        """Send packets to a peer and return what its connection's entry does not report as it was seen on the WAN."""
        lab = self.lab
        with lab.wan.capturing() as wan:
            client, server = lab.pods.one_in_each(member, peer)
            every(udp(client, server, size=_SIZE) for _ in range(_PACKETS)).arrives()
            sent = wan.between(member, peer)
        entry = lab.connection(member, peer).entry
        return paths.misreported(entry, sent, size=_SIZE, private=lab.topology.cluster(peer).node_cidrs)

    def mtu(self, member: str, peer: str) -> int:
        """Return the MTU that a member reports of a connection: bytes of an IP packet between pods."""
        return paths.mtu_of(self.lab.connection(member, peer).entry)

    def metrics(self, member: str) -> Page:
        """Return what a member's gateways publish now; ``AssertionError`` if none of them answers."""
        gateways = [node for node in self.lab.nodes if node.site.cluster == member and node.is_gateway]
        return metrics.scrape(self.lab.ground, gateways)

    def not_published(self, *, connected: bool) -> list[str]:
        """Return a line for every two members of which one's metrics say otherwise, or lack something of the other."""
        lines = []
        for member, peer in itertools.permutations(self.lab.members.joined, 2):
            page = self.metrics(member)
            missing = page.missing(peer)
            if missing:
                lines.append(f"{member} publishes no {', '.join(missing)} of {peer}")
            elif page.is_connected(peer) is not connected:
                lines.append(f"{member} publishes that {peer} is {'not ' * connected}connected")
        return lines

    def miscounted(self, member: str, peer: str) -> list[str]:
        """Send a stream to a peer and return which counters of either end do not grow by what passes the WAN.

        Both ends count both directions: what was sent, and what little came back. Counters have ``T_fresh`` to show it.
        """
        lab, ends = self.lab, (member, peer)
        client, server = lab.pods.one_in_each(member, peer)
        with lab.wan.capturing() as wan:
            pages = {end: [self.metrics(end)] for end in ends}
            with lab.stream([(client, server)], rate=_RATE, size=_SIZE) as stream:
                stream.goes_on("W_flow")
            size = _SIZE + lab.udp_overhead(lab.families[0])
            there = metrics.carried(wan.between(member, peer), size)
            if there.least[1] < _RATE:
                raise LabError(f"the capture shows {there.least[1]:g} packets of the stream", where="wan")

            def look() -> list[str]:
                for end in ends:
                    pages[end].append(self.metrics(end))
                return [
                    f"{end}: {line}"
                    for end, other, names in ((member, peer, metrics.SENT), (peer, member, metrics.RECEIVED))
                    for line in metrics.uncounted(pages[end][0], pages[end][-1], other, names, there)
                ]

            lab.eventually_none("what passed is not counted", look, within="T_fresh")
            ways = {(member, peer): wan.between(member, peer), (peer, member): wan.between(peer, member)}
        limits = {way: metrics.carried(sent, size) for way, sent in ways.items()}
        return [
            f"{end}: {line}"
            for end, other in itertools.permutations(ends)
            for first, last in [(pages[end][0], pages[end][-1])]
            for line in (
                *metrics.overcounted(first, last, other, metrics.SENT, limits[end, other]),
                *metrics.overcounted(first, last, other, metrics.RECEIVED, limits[other, end]),
                *metrics.decreased(pages[end], other),
            )
        ]

    def flows_refused(self, member: str) -> float:
        """Return how many flows a member's gateways say that they had no port for; 0 if they say nothing."""
        with suppress(AssertionError):
            return self.metrics(member).total(metrics.REFUSED)
        return 0.0

    def in_pieces(self, wan: WanCapture, member: str, peer: str) -> list[str]:
        """Return a line for every fragment that a capture shows on its way from a member to a peer."""
        return paths.fragments(wan.between(member, peer))
