"""One question of a scenario as a value, and the probes that ask it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from l3conf.errors import LabError
from l3conf.expectations.places import PORT, Pod, Service, Stranger
from l3conf.model.topology import IPAddress, IPFamily
from l3conf.observation import Observation, Outcome, Probe, Protocol
from l3conf.oracle import SeenAs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.expectations.places import Client, Server

Sources: TypeAlias = IPAddress | frozenset[IPAddress] | SeenAs
"""What a server must see as the source: an address, one of several, or whose it is."""
TRIES = 3
"""How often a question is sent while no answer comes: one lost packet is not yet a finding."""
SMALLEST = 64
"""Bytes of payload where a scenario names no size; the probe's own header fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Traffic from a client to a server, not yet sent."""

    client: Client
    server: Server
    protocol: Protocol
    family: IPFamily = IPFamily.IPV4
    port: int = PORT
    size: int = SMALLEST
    write_size: int | None = None
    dont_fragment: bool = False
    ttl: int | None = None
    traffic_class: int | None = None
    """UDP only: DSCP and ECN of the packet."""
    idle: float = 0.0
    """TCP only: seconds of silence between two questions on one connection."""
    claiming: IPAddress | None = None
    """UDP only: the source address that the packet carries, whoever sends it."""
    device: str = ""
    """With ``claiming``: the sender's device that the packet is handed to, past the sender's own filters."""

    def question(self, seconds: float) -> Probe:
        """Return the probe that takes an answer for ``seconds``, and asks again within them while there is none."""
        return replace(self.probe(seconds), again=seconds / TRIES)

    def probe(self, timeout: float) -> Probe:
        """Return the probe that asks this once."""
        return Probe(
            source=self.client.place,
            destination=self.server.address(self.family),
            port=0 if self.protocol is Protocol.ICMP else self.port,
            protocol=self.protocol,
            size=self.size,
            timeout=timeout,
            ttl=self.ttl,
            dont_fragment=self.dont_fragment,
            write_size=self.write_size,
            traffic_class=self.traffic_class,
            idle=self.idle,
            forged_source=self.claiming,
            device=self.device,
        )

    @property
    def receivers(self) -> tuple[str, ...]:
        """Places at which packets of this flow can be seen."""
        if isinstance(self.server, Service):
            return tuple(pod.place for pod in self.server.backends)
        return () if isinstance(self.server, Stranger) else (self.server.place,)

    def __str__(self) -> str:
        """Return the flow as a message names it."""
        family = [] if self.family is IPFamily.IPV4 else [self.family.value]
        words = [self.protocol.value, *family, f"{self.client} -> {self.server}"]
        if self.port != PORT and self.protocol is not Protocol.ICMP:
            words.append(f"port {self.port}")
        if self.size != SMALLEST:
            words.append(f"{self.size} B")
        if self.write_size is not None:
            words.append(f"in writes of {self.write_size} B")
        if self.dont_fragment:
            words.append("DF")
        if self.ttl is not None:
            words.append(f"TTL {self.ttl}")
        if self.traffic_class is not None:
            words.append(f"traffic class {self.traffic_class:#04x}")
        if self.idle:
            words.append(f"idle for {self.idle:g} s")
        if self.claiming is not None:
            words.append(f"claiming {self.claiming}")
        if self.device:
            words.append(f"through {self.device}")
        return " ".join(words)


def arrived(flow: Flow, seen: Observation, seen_as: Sources | None) -> str:
    """Return what is wrong with an observation of traffic that must arrive; empty if nothing is."""
    if seen.outcome is not Outcome.DELIVERED:
        return describe(seen)
    if isinstance(flow.server, Pod | Service) and seen.responder and seen.responder not in flow.receivers:
        return f"answered by {seen.responder}"
    wanted = _sources(flow, seen_as)
    if wanted is not None and seen.seen_as not in wanted:
        instead = " or ".join(map(str, sorted(wanted, key=int))) or "any that is allowed"
        return f"arrived, but the server saw {seen.seen_as or 'no source'} instead of {instead}"
    return ""


def describe(seen: Observation) -> str:
    """Return an observation in words."""
    words = [seen.outcome.value.replace("_", " ")]
    if seen.reporter is not None:
        words.append(f"from {seen.reporter}")
    if seen.mtu is not None:
        words.append(f"mtu {seen.mtu}")
    if seen.detail:
        words.append(f"({seen.detail})")
    return " ".join(words)


def failures(lines: Iterable[tuple[Flow, str]], *, most: int = 12) -> str:
    """Return one line a flow that went wrong, the first ``most`` of them."""
    found = [f"  {flow}: {words}" for flow, words in lines]
    rest = [f"  … and {len(found) - most} more"] if len(found) > most else []
    return "\n".join([*found[:most], *rest])


def _sources(flow: Flow, seen_as: Sources | None) -> frozenset[IPAddress] | None:
    """Return the addresses of which the server must see one, or None where that is no requirement."""
    if seen_as is SeenAs.ITSELF:
        return frozenset({flow.client.address(flow.family)})
    if seen_as is SeenAs.GLOBAL:
        raise LabError("a flow does not know its client's global addresses", remedy="name them in seen_as")
    if isinstance(seen_as, SeenAs) or seen_as is None:
        return None
    return seen_as if isinstance(seen_as, frozenset) else frozenset({seen_as})
