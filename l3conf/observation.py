"""What one probe asked and what came of it: the exact alphabet of probe outcomes.

Every outcome says one thing. "Blocked" is not among them: only an expectation can say that, and it must say
which of these it accepts. Pure values; how packets are sent stands in ``l3conf.probes``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress


class Protocol(enum.Enum):
    """Transport of a probe."""

    UDP = "udp"
    TCP = "tcp"
    ICMP = "icmp"


class Outcome(enum.Enum):
    """The end of one probe, as its sender knows it."""

    DELIVERED = "delivered"
    """The answer came back from the server, with this probe's nonce and an intact payload."""
    CORRUPTED = "corrupted"
    """An answer with this probe's nonce came back, but the payload differed."""
    REFUSED = "refused"
    """TCP RST in answer to SYN, or ICMP port unreachable (RFC 792 type 3 code 3)."""
    RESET = "reset"
    """An established TCP connection was reset before the answer was complete."""
    UNREACHABLE = "unreachable"
    """ICMP destination unreachable other than port unreachable and fragmentation needed."""
    TOO_BIG = "too_big"
    """ICMP fragmentation needed (RFC 1191) or packet too big (RFC 8201); ``mtu`` says how big it may be."""
    TTL_EXCEEDED = "ttl_exceeded"
    """ICMP time exceeded in transit; ``reporter`` is the hop that said so."""
    TIMEOUT = "timeout"
    """The probe was emitted and nothing at all came back within its time."""
    NO_ROUTE = "no_route"
    """The sender's own kernel had no way to the destination: nothing was emitted."""
    HARNESS_ERROR = "harness_error"
    """The harness could not do its work (no such pod, socket error, agent gone); ``detail`` says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question asked from a place: does a packet get there and back."""

    source: str
    """Place that sends (see ``l3conf.labs.base``)."""
    destination: IPAddress
    port: int = 0
    """Destination port; 0 for ICMP."""
    protocol: Protocol = Protocol.UDP
    size: int = 64
    """Payload in bytes, each way (the server echoes it); at least the probe header (see ``probes.wire``)."""
    timeout: float = 1.0
    """Seconds until ``TIMEOUT``."""
    ttl: int | None = None
    """IP TTL or hop limit; None: the kernel's default."""
    dont_fragment: bool = False
    """Set DF (IPv4) / forbid local fragmentation (IPv6) and report PTB rather than fragmenting."""
    write_size: int | None = None
    """TCP only: bytes per write; None: all at once."""
    forged_source: IPAddress | None = None
    """UDP only: write this source address into a raw IP header. No answer can come back: the outcome is
    ``TIMEOUT`` when emitted, and only the receiver's sightings tell more. Needs a place with raw sockets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What came of one probe."""

    probe: Probe
    outcome: Outcome
    nonce: str = ""
    """16 hex digits that this probe carried: the key to the receivers' sightings."""
    seen_as: IPAddress | None = None
    """Source address as the server saw it (DELIVERED, CORRUPTED)."""
    responder: str = ""
    """Identity of the server that answered: its place."""
    rtt: float | None = None
    """Seconds between emission and answer."""
    reporter: IPAddress | None = None
    """Sender of an ICMP error."""
    mtu: int | None = None
    """Next-hop MTU that TOO_BIG reported."""
    detail: str = ""
    """For people: errno name, byte counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One probe packet as a receiver saw it, whether or not its answer got back."""

    place: str
    """The receiver."""
    nonce: str
    source: IPAddress
    protocol: Protocol
    time: float
    """Seconds, ``time.monotonic`` of the lab's machine."""
