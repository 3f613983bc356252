"""What passes between sites: captures that have shown to see before they may say "not seen".

::

    with lab.wan.capturing() as wan:
        seen = every(tcp(a, b) for a, b in pairs).arrives()
        wan.must_not_show(*map(payload_of, seen))

A capture begins with a beacon of the outsider that it must show. Every question sends another one and waits until
that is captured: what passed before it is then captured as well. Filters are calibrated by samples that the
outsider sends beside the beacon. A capture that misses any of this, or lost frames, is broken: ``LabError``.
"""

from __future__ import annotations

import itertools
import math
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

from l3conf.capture.packets import Packet, packet_of
from l3conf.capture.pcap import GrowingPcap, newest
from l3conf.errors import L3confError, LabError
from l3conf.expectations import carriage
from l3conf.expectations.carriage import LARGE, sized
from l3conf.expectations.filters import DISCARD, Filter
from l3conf.expectations.nesting import nested
from l3conf.expectations.places import Outsider, Service, Stranger
from l3conf.model import addressing
from l3conf.model.public_addresses import public_cluster
from l3conf.model.topology import IPFamily
from l3conf.probes.packets import udp_packet
from l3conf.wait import DeadlineMissedError, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from l3conf.expectations.harness import Harness
    from l3conf.expectations.places import Client, Server
    from l3conf.expectations.traffic import Traffic
    from l3conf.model.topology import IPAddress, IPNetwork

_MARK_SIZE = 16
_KEPT = 1 << 20
"""Octets of a capture that are kept where something failed: what passed last."""
_MOST_LINES = 12
UDP_HEADERS = {IPFamily.IPV4: 28, IPFamily.IPV6: 48}
"""Bytes of IP and UDP header without options."""


@dataclass(frozen=True, slots=True)
class Wan:
    """The wide-area network between the sites of a lab."""

    harness: Harness
    outsider: Outsider

    @contextmanager
    def capturing(self) -> Iterator[WanCapture]:
        """Capture everything that passes while the context is open. ``LabError`` if the capture shows no beacon."""
        with self.harness.lab.capture("wan") as file:
            capture = WanCapture(self.harness, self.outsider, file)
            try:
                capture.packets()
                yield capture
                capture.packets()
            except BaseException:
                with suppress(OSError, L3confError):  # what broke first says more
                    self.harness.keep("wan.pcap", newest(file, _KEPT))
                raise

    def prefixes_of(self, site: str) -> tuple[IPNetwork, ...]:
        """Return where packets of a site come from on the WAN: its LANs, and its public address."""
        topology = self.harness.lab.topology
        cluster = topology.cluster(site)
        router = addressing.site_router_offset(topology, public_cluster(topology, cluster))
        own = (ip_network(address) for address in addressing.wan_addresses(topology, router))
        return (*cluster.node_cidrs, *own)


@dataclass(slots=True)
class WanCapture:
    """A running capture."""

    harness: Harness
    outsider: Outsider
    file: Path
    _mark: bytes = field(init=False)
    """What all packets of the harness itself hold."""
    _beacons: int = 0
    _growing: GrowingPcap = field(init=False)
    _read: list[Packet] = field(init=False, default_factory=list)
    _last_beacon: float = 0.0
    """When the last one passed that was seen; seconds since the epoch."""
    _ends: float = math.inf
    """Seconds since the epoch: what others send later does not count."""

    def __post_init__(self) -> None:
        self._mark = self.harness.random.randbytes(_MARK_SIZE)
        self._growing = GrowingPcap(self.file)

    def ends_after(self, seconds: float) -> None:
        """Let nothing count that passes later than ``seconds`` after the last beacon (so far, the first)."""
        self._ends = self._last_beacon + seconds

    def packets(self, *filters: Filter) -> tuple[Packet, ...]:
        """Return what has passed so far and matches any of the filters (all that passed, without any).

        ``LabError`` unless every filter finds its sample, sent after all that has passed.
        """
        seen = self._up_to_now(filters)
        return tuple(packet for packet in seen if not filters or any(one.matches(packet) for one in filters))

    def must_not_show(self, *filters: Filter) -> None:
        """Expect that nothing which has passed so far matches a filter."""
        if not filters:
            raise LabError("a capture that is asked for nothing proves nothing", where="wan")
        seen = self._up_to_now(filters)
        found = [(one, packet) for one in filters for packet in seen if one.matches(packet)]
        if found:
            raise AssertionError(f"seen on the WAN, though it must not be:\n{_lines(found)}")

    def shows(self, wanted: Filter, *, within: str = "T_probe") -> tuple[Packet, ...]:
        """Expect that something which has passed, or passes within the budget, matches; return it."""

        def look() -> tuple[Packet, ...] | Pending:
            return self.packets(wanted) or Pending(f"{wanted.what} was not seen on the WAN")

        return self.harness.wait(f"{wanted.what} passes the WAN", look, within)

    def between(self, source: str, destination: str) -> tuple[Packet, ...]:
        """Return what site ``source`` has sent to site ``destination``, as it passed the WAN, oldest first."""
        return self._between(self.packets(), source, destination)

    def _between(self, packets: Iterable[Packet], source: str, destination: str) -> tuple[Packet, ...]:
        wan = Wan(self.harness, self.outsider)
        here, there = wan.prefixes_of(source), wan.prefixes_of(destination)
        return tuple(packet for packet in packets if _is_in(packet.source, here) and _is_in(packet.destination, there))

    def shows_no_tunnel_in_a_tunnel(self, size: int, family: IPFamily) -> None:
        """Expect that nothing which passed between sites is wrapped twice (``expectations.nesting``).

        ``size``: payload in bytes of the datagrams that flow meanwhile, larger than anything else that passes.
        """
        clusters = self.harness.lab.topology.clusters
        length = size + UDP_HEADERS[family]
        gateways = {cluster.name: addressing.gateway_addresses(cluster) for cluster in clusters}
        seen = self.packets()
        packets = [each for pair in itertools.permutations(gateways, 2) for each in self._between(seen, *pair)]
        pairs = [
            (one, other)
            for here, there in itertools.combinations(gateways.values(), 2)
            for one, other in itertools.product(here, there)
            if one.version == other.version
        ]
        if found := nested(packets, pairs, length):
            lines = "\n".join(f"  {line}" for line in found[:_MOST_LINES])
            raise AssertionError(f"{len(found)} tunnel packets were sent into a tunnel:\n{lines}")

    def carries(self, traffic: Traffic, *, over: str, within: str = "T_probe") -> None:
        """Expect what passes for these flows, in both directions, to be tunnels of one cable driver alone."""
        ends = {(_site(flow.client), _site(flow.server)) for flow in traffic.flows}
        pairs = ends | {(there, here) for here, there in ends}
        carriage.expect(self.harness, traffic, pairs, over=over, passed=self._large_between, within=within)

    def keeps_out_of_tunnels(self, traffic: Traffic, *, control: Traffic) -> None:
        """Expect that no packet of these flows passes between sites, in whatever wrapping.

        Ciphers hide everything of a packet but its size. So the control, traffic across clusters of ``LARGE``
        bytes, must show as packets of at least that size between each two sites that it connects; then the same
        size goes to where it must not pass, and none of that size may follow. ``LabError`` if the capture does
        not show the control.
        """
        pairs = sorted({(_site(flow.client), _site(flow.server)) for flow in control.flows})
        sized(control).arrives()
        before = {pair: self._large_between(pair) for pair in pairs}
        unseen = [f"{source} -> {destination}" for (source, destination), seen in before.items() if not seen]
        if unseen:
            raise LabError(f"the capture does not show what crosses {', '.join(unseen)}", where="wan")
        sized(traffic).observe()
        wrong = [
            f"  {len(packets) - len(before[pair])} packets {pair[0]} -> {pair[1]}, the last {packets[-1]}"
            for pair in pairs
            if len(packets := self._large_between(pair)) > len(before[pair])
        ]
        if wrong:
            raise AssertionError("\n".join(["what no member owns was sent into a tunnel:", *wrong]))

    def _large_between(self, pair: tuple[str, str]) -> tuple[Packet, ...]:
        return tuple(packet for packet in self.between(*pair) if len(packet.data) >= LARGE)

    def _up_to_now(self, filters: Sequence[Filter]) -> tuple[Packet, ...]:
        """Send a beacon and samples, wait until they are captured, and return all else that is."""
        self._beacons += 1
        mark = self._mark + self._beacons.to_bytes(4, "big")
        self.harness.lab.inject(self.outsider.place, [self._sample(one, mark) for one in (*filters, self._beacon())])

        def look() -> tuple[Packet, ...] | Pending:
            self._read_on()
            sent = [packet for packet in self._read if mark in packet.data]
            blind = [one.what for one in (self._beacon(), *filters) if not any(map(one.matches, sent))]
            if blind:
                return Pending(f"not seen, though it was sent: {', '.join(blind)}")
            self._last_beacon = max(packet.time for packet in sent)
            return tuple(self._read)

        try:
            seen = self.harness.wait("the capture shows what the outsider sends", look, "T_probe")
        except DeadlineMissedError as missed:
            raise LabError(f"the capture is blind, so it proves nothing: {missed}", where="wan") from None
        return tuple(packet for packet in seen if self._mark not in packet.data)

    def _read_on(self) -> None:
        """Take what has been captured since the last look: minutes of packets are read once."""
        for frame in self._growing.read():
            if frame.nanoseconds / 1e9 > self._ends and self._mark not in frame.data:
                continue
            if (packet := packet_of(frame)) is not None:
                self._read.append(packet)

    def _beacon(self) -> Filter:
        def sample(source: IPAddress, destination: IPAddress, mark: bytes) -> bytes:
            return udp_packet(source, destination, DISCARD, mark, ttl=None)

        return Filter("a beacon", lambda packet: self._mark in packet.data, sample)

    def _sample(self, wanted: Filter, mark: bytes) -> bytes:
        """Return a packet to the broker's site: the way there leads over the WAN and through no implementation."""
        source = next((each for each in self.outsider.addresses if wanted.family in {None, IPFamily.of(each)}), None)
        if source is None:
            raise LabError(f"{wanted.what}: the WAN has no {wanted.family}", where="wan")
        brokers = addressing.wan_addresses(self.harness.lab.topology, addressing.BROKER_OFFSET)
        destination = next(each for each in brokers if each.version == source.version)
        return wanted.sample(source, destination, mark)


def _site(end: Client | Server) -> str:
    if isinstance(end, Service):
        return end.cluster
    if isinstance(end, Outsider | Stranger):
        raise LabError(f"{end} is in no cluster, so nothing between clusters is controlled by it")
    return end.site.cluster


def _is_in(address: IPAddress, prefixes: Sequence[IPNetwork]) -> bool:
    return any(address in prefix for prefix in prefixes)


def _lines(found: Sequence[tuple[Filter, Packet]]) -> str:
    shown = [f"  {one.what}: in {packet}" for one, packet in found[:_MOST_LINES]]
    rest = [f"  … and {len(found) - _MOST_LINES} more"] if len(found) > _MOST_LINES else []
    return "\n".join([*shown, *rest])
