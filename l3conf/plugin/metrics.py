"""What gateways publish as Prometheus metrics, against what passes between the sites.

The page is asked for on the gateway node, where everybody's Prometheus asks: TCP 32780, ``/metrics``. Names and labels
are the established ones; packets are counted under names made alike. Of the text format (version 0.0.4) only samples
matter here, one a line.
"""

from __future__ import annotations

import itertools
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from l3conf.capture.packets import Packet
    from l3conf.expectations import Node
    from l3conf.labs.base import Lab as Ground

PORT = 32780
CONNECTIONS = "submariner_connections"
LATENCY = "submariner_connection_latency_seconds"
RECEIVED = ("submariner_gateway_rx_bytes", "submariner_gateway_rx_packets")
SENT = ("submariner_gateway_tx_bytes", "submariner_gateway_tx_packets")
COUNTERS = (*RECEIVED, *SENT)
REFUSED = "submariner_gateway_nf_conntrack_stat_insert_failed"
"""New flows for which no global address had a port left."""
_PEER, _STATUS = "remote_cluster", "status"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*"'
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{((?:{_LABEL},?)*)\}})?[ \t]+(\S+)(?:[ \t]+-?\d+)?")
_ONE_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')
_ESCAPES: Mapping[str, str] = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_SLACK_SHARE, _SLACK_PACKETS, _SLACK_BYTES = 0.02, 50, 10_000
"""How much more than the capture shows may be counted: pages are some seconds old when they are read."""
_SECONDS = 3.0
_SCRIPT = (
    "import sys, urllib.request\n"
    "ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))\n"
    "sys.stdout.write(ask.open(sys.argv[1], timeout=float(sys.argv[2])).read().decode())\n"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Page:
    """One gateway's metrics at one moment."""

    samples: tuple[Sample, ...]

    def value(self, name: str, peer: str) -> float | None:
        """Return what a metric says of a peer, all its series together; None if there is none."""
        found = [one.value for one in self._of(name, peer)]
        return sum(found) if found else None

    def total(self, name: str) -> float:
        """Return what a metric that speaks of no peer says, all its series together; 0 if there is none."""
        return sum(one.value for one in self.samples if one.name == name)

    def is_connected(self, peer: str) -> bool | None:
        """Return whether all series of a peer say that it is connected; None if none speaks of it."""
        found = [one.value for one in self._of(CONNECTIONS, peer) if one.labels.get(_STATUS) == "connected"]
        return all(value == 1 for value in found) if found else None

    def missing(self, peer: str) -> list[str]:
        """Return the metrics that do not speak of a peer."""
        return [name for name in (CONNECTIONS, LATENCY, *COUNTERS) if self.value(name, peer) is None]

    def _of(self, name: str, peer: str) -> list[Sample]:
        return [one for one in self.samples if one.name == name and one.labels.get(_PEER) == peer]


def read(text: str) -> Page:
    """Return a page's samples; ``AssertionError`` names a line that is none."""
    lines = [line.strip() for line in text.splitlines()]
    return Page(tuple(_sample(line) for line in lines if line and not line.startswith("#")))


def scrape(ground: Ground, gateways: Sequence[Node]) -> Page:
    """Return what the gateway nodes of a cluster publish, together; ``AssertionError`` if none of them answers."""
    samples: list[Sample] = []
    refusals = []
    for node in gateways:
        address = node.addresses[0]
        host = f"[{address}]" if ":" in str(address) else str(address)
        argv = [sys.executable, "-c", _SCRIPT, f"http://{host}:{PORT}/metrics", str(_SECONDS)]
        code, out, err = ground.run(node.place, argv, timeout=_SECONDS + 2)
        if code == 0:
            samples += read(out).samples
        else:
            refusals.append(f"{node}: {(err.strip().splitlines() or ['no answer'])[-1]}")
    if len(refusals) == len(gateways):
        raise AssertionError(f"no gateway serves metrics at port {PORT}: {'; '.join(refusals)}")
    return Page(tuple(samples))


def decreased(pages: Sequence[Page], peer: str) -> list[str]:
    """Return a line for each counter of a peer that went down from one page to the next."""
    lines = []
    for name in COUNTERS:
        values = [value for page in pages if (value := page.value(name, peer)) is not None]
        lines += [
            f"{name} of {peer} went from {before:g} to {after:g}"
            for before, after in itertools.pairwise(values)
            if after < before
        ]
    return lines


def uncounted(first: Page, last: Page, peer: str, names: tuple[str, str], carried: Carried) -> list[str]:
    """Return a line for each counter (bytes, packets) of a peer that grew by less than what was carried for certain."""
    return _compare(first, last, peer, zip(names, carried.least, strict=True), lambda grown, least: grown < least)


def overcounted(first: Page, last: Page, peer: str, names: tuple[str, str], carried: Carried) -> list[str]:
    """Return a line for each counter of a peer that grew by more than all that passed."""
    return _compare(first, last, peer, zip(names, carried.most, strict=True), lambda grown, most: grown > most)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a capture shows of one direction. Pairs are bytes and packets."""

    least: tuple[float, float]
    """The probes alone, without what a cable added to them."""
    most: tuple[float, float]
    """Everything that passed, with all that cables add."""


def carried(sent: Iterable[Packet], size: int) -> Carried:
    """Return what passed in one direction. Probes are IP packets of ``size`` bytes; nothing else is as large."""
    packets = list(sent)
    probes = [packet for packet in packets if len(packet.data) > size]
    octets = sum(len(packet.data) for packet in packets)
    more = 1 + _SLACK_SHARE
    return Carried(
        least=(float(len(probes) * size), float(len(probes))),
        most=(octets * more + _SLACK_BYTES, len(packets) * more + _SLACK_PACKETS),
    )


def _compare(
    first: Page, last: Page, peer: str, bounds: Iterable[tuple[str, float]], wrong: Callable[[float, float], bool]
) -> list[str]:
    lines = []
    for name, bound in bounds:
        before, after = first.value(name, peer), last.value(name, peer)
        if before is None or after is None:
            lines.append(f"there is no {name} of {peer}")
        elif wrong(after - before, bound):
            lines.append(f"{name} of {peer} grew by {after - before:g}, the wire shows {bound:g}")
    return lines


def _sample(line: str) -> Sample:
    match = _SAMPLE.fullmatch(line)
    try:
        value = float(match[3]) if match else None
    except ValueError:
        value = None
    if match is None or value is None:
        raise AssertionError(f"no sample of the text format: {line[:200]!r}")
    labels = {name: _plain(text) for name, text in _ONE_LABEL.findall(match[2] or "")}
    return Sample(match[1], labels, value)


def _plain(text: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: _ESCAPES[found[0]], text)
