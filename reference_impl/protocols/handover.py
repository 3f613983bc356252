"""What gateways of one cluster tell each other of flows to its Services. UDP, 32781.

::

    0   4  "l3nh"
    4   1  version, 1
    5   1  kind: 1 flows that have begun, 2 a part of all that there are
    6   2  parts of the whole; kind 1: 1
    8   2  number of this part, from 0
    10  2  number of flows that follow
    12  8  round: the sender's clock in nanoseconds, alike in all parts of a whole, and never less than before
    20  …  flows of 58 octets: protocol, IP version, two of zero, then client, service, backend (16 octets each, IPv4
           padded with zeros) and their ports in that order
    …   32 HMAC-SHA-256 over all of that, keyed by a secret of this cluster alone

Who stands by knows from ``Ledger`` which flows to have in its kernel: those that began are added at once, a whole also
says which have ended. Nothing is answered and nothing is sent again: the next whole makes up for what was lost.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from reference_impl.flows import ServiceFlow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reference_impl.state import IPAddress

_MAGIC, _VERSION = b"l3nh", 1
BEGUN, WHOLE = 1, 2
_HEAD = struct.Struct("!4sBBHHHQ")
_FLOW = struct.Struct("!BB2x16s16s16sHHH")
_MAC_LENGTH = 32
MOST = 20
"""Flows in a datagram: with IP and UDP headers it fits an MTU of 1280."""
_MOST_PARTS = 0xFFFF
_ADDRESSES: dict[int, tuple[type[IPv4Address | IPv6Address], int]] = {4: (IPv4Address, 4), 6: (IPv6Address, 16)}
_PURPOSE = b"l3conf reference handover of flows v1"


@dataclass(frozen=True, slots=True)
class Part:
    """One message: flows that have begun, or a part of all that there are."""

    kind: int
    round: int
    flows: tuple[ServiceFlow, ...]
    number: int = 0
    parts: int = 1


def key_of(secret: str) -> bytes:
    """Return the key that a cluster's gateways share, from a secret that all of them hold for another purpose."""
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest()


def encode(kind: int, moment: int, flows: Sequence[ServiceFlow], key: bytes) -> list[bytes]:
    """Return the datagrams that say this of these flows; of too many to be said, the first ones."""
    portions = [flows[start : start + MOST] for start in range(0, len(flows), MOST)][:_MOST_PARTS]
    if kind == WHOLE:
        portions = portions or [()]
        return [_message(kind, len(portions), number, moment, each, key) for number, each in enumerate(portions)]
    return [_message(kind, 1, 0, moment, each, key) for each in portions]


def decode(data: bytes, key: bytes) -> Part | None:
    """Return what a datagram says; None if it is no message, or not proved by this key."""
    body, proof = data[:-_MAC_LENGTH], data[-_MAC_LENGTH:]
    if len(body) < _HEAD.size or not hmac.compare_digest(proof, _proof(body, key)):
        return None
    magic, version, kind, parts, number, count, moment = _HEAD.unpack_from(body)
    if (magic, version) != (_MAGIC, _VERSION) or len(body) != _HEAD.size + count * _FLOW.size or number >= parts:
        return None
    try:
        flows = tuple(_flow(*_FLOW.unpack_from(body, _HEAD.size + each * _FLOW.size)) for each in range(count))
    except (KeyError, ValueError):
        return None
    return Part(kind, moment, flows, number, parts)


@dataclass(slots=True)
class Ledger:
    """What a gateway was told by one other, so that it knows what has ended."""

    _known: frozenset[ServiceFlow] = frozenset()
    _round: int = 0
    _collected: dict[int, tuple[ServiceFlow, ...]] = field(default_factory=dict)
    _begun: dict[ServiceFlow, int] = field(default_factory=dict)

    def told(self, part: Part) -> tuple[Collection[ServiceFlow], Collection[ServiceFlow]]:
        """Return which flows to have in the kernel, and which not any more; nothing for what is older than known."""
        if part.round < self._round:
            return (), ()
        self._known |= frozenset(part.flows)
        if part.kind == BEGUN:
            self._begun |= dict.fromkeys(part.flows, part.round)
            return part.flows, ()
        if part.round > self._round:
            self._round, self._collected = part.round, {}
        self._collected[part.number] = part.flows
        if len(self._collected) < part.parts:
            return part.flows, ()
        # What began after stock was taken is no part of it, and has not ended for that.
        self._begun = {flow: moment for flow, moment in self._begun.items() if moment >= part.round}
        alive = frozenset(flow for flows in self._collected.values() for flow in flows) | self._begun.keys()
        gone = self._known - alive
        self._known = alive
        return part.flows, gone


def _message(kind: int, parts: int, number: int, moment: int, flows: Sequence[ServiceFlow], key: bytes) -> bytes:
    head = _HEAD.pack(_MAGIC, _VERSION, kind, parts, number, len(flows), moment)
    body = head + b"".join(_packed(flow) for flow in flows)
    return body + _proof(body, key)


def _packed(flow: ServiceFlow) -> bytes:
    addresses = (each.packed.ljust(16, b"\0") for each in (flow.client, flow.service, flow.backend))
    ports = flow.client_port, flow.service_port, flow.backend_port
    return _FLOW.pack(flow.protocol, flow.client.version, *addresses, *ports)


def _flow(protocol: int, version: int, client: bytes, service: bytes, backend: bytes, *ports: int) -> ServiceFlow:
    make, length = _ADDRESSES[version]

    def address(octets: bytes) -> IPAddress:
        return make(octets[:length])

    return ServiceFlow(protocol, address(client), ports[0], address(service), ports[1], address(backend), ports[2])


def _proof(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()
