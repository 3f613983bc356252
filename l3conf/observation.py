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
    SCTP = "sctp"


ORDINARY = (Protocol.UDP, Protocol.TCP, Protocol.ICMP)
"""What every kernel and every network plugin carries."""


class Outcome(enum.Enum):
    """The end of one probe, as its sender knows it."""

    DELIVERED = "delivered"
    """The answer came back from the address asked, with this probe's nonce and an intact payload."""
    CORRUPTED = "corrupted"
    """An answer with this probe's nonce came back, but query or answer had changed on the way; over TCP also
    whatever is no answer of a probe server."""
    REFUSED = "refused"
    """TCP RST in answer to SYN, or ICMP port unreachable (RFC 792 type 3 code 3)."""
    RESET = "reset"
    """An established TCP connection was reset, or closed, before the answer was complete."""
    UNREACHABLE = "unreachable"
    """ICMP destination unreachable other than port unreachable and fragmentation needed."""
    TOO_BIG = "too_big"
    """ICMP fragmentation needed (RFC 1191) or packet too big (RFC 8201); ``mtu`` says how big it may be."""
    TTL_EXCEEDED = "ttl_exceeded"
    """ICMP time exceeded in transit; ``reporter`` is the hop that said so."""
    TIMEOUT = "timeout"
    """The probe was emitted and nothing that counts came back within its time. An answer from an address that was
    not asked does not count, as for any ordinary client: ``detail`` tells of it, and of how far a stream got."""
    NO_ROUTE = "no_route"
    """The sender's own kernel did not emit it: no route, or its own firewall dropped it (``detail``: EPERM)."""
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
    """Payload in bytes, each way: 24 (the probe's head, ``probes.wire``) to 65507 for datagrams, 65000 for SCTP, 16 MiB
    for TCP.
    An answer is longer than its query where a short one has no room for what the server has to say."""
    timeout: float = 1.0
    """Seconds until ``TIMEOUT``."""
    again: float = 0.0
    """Seconds without an answer after which the same is sent once more, and so on until ``timeout``; 0: sent once. An
    answer to any of them counts. A connection that stands is left alone: its kernel sends again what was lost."""
    ttl: int | None = None
    """IP TTL or hop limit; None: the kernel's default."""
    dont_fragment: bool = False
    """True: DF is set (IPv6: no local fragmentation), and what does not fit is TOO_BIG. False: DF is clear, and
    routers may fragment. No effect on TCP, which always does path MTU discovery."""
    write_size: int | None = None
    """TCP only: bytes per write; None: all at once."""
    traffic_class: int | None = None
    """UDP only: DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168); None: the kernel's 0."""
    idle: float = 0.0
    """TCP only: seconds of silence after the answer; then the same is asked once more on the same connection."""
    forged_source: IPAddress | None = None
    """UDP only: write this source address into a raw IP header. No answer can come back: the outcome is
    ``TIMEOUT`` when emitted, and only the receiver's sightings tell more. Needs a place with raw sockets."""
    device: str = ""
    """With a forged source: hand the packet to this device of the place, past the sender's own routes, filters and
    NAT. A device without link-layer addresses, as tunnels are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What came of one probe."""

    probe: Probe
    outcome: Outcome
    nonce: str = ""
    """16 hex digits that this probe carried: the key to the receivers' sightings."""
    seen_as: IPAddress | None = None
    """Source address as the server saw it (DELIVERED, CORRUPTED). None for ICMP, which a kernel answers: the
    receiver's sightings tell."""
    responder: str = ""
    """Identity of the server that answered: its place. Empty for ICMP."""
    rtt: float | None = None
    """Seconds between emission and answer; for TCP from the SYN to the last byte."""
    reporter: IPAddress | None = None
    """Sender of an ICMP error; None if the sender's own kernel knew, as it does once it has cached a path MTU."""
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
    traffic_class: int | None = None
    """As it arrived (``Probe.traffic_class``); None where the receiver cannot tell: other protocols than UDP."""
