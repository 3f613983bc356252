"""Messages by which two gateways find out where they can reach each other. UDP, 4490 unless said otherwise.

::

    0   4  "l3nd"
    4   1  version, 1
    5   1  kind: 1 request, 2 reply
    6   2  zero
    8   8  sender: first octets of the SHA-256 of its public key
    16  8  receiver, likewise
    24 16  nonce: of the request; a reply repeats it
    40  2  reply: UDP port that the request came from; request: zero
    42  1  reply: IP version of the address that follows; request: zero
    43 16  reply: address that the request came from, padded with zeros; request: zero
    59  5  zero
    64 32  HMAC-SHA-256 over all of that, keyed by a secret of this pair alone

Both kinds have one length, so that nobody's request is amplified. What is not exactly as above is nobody's message:
``decode`` says no more about it, and nothing is answered to it, with one exception. A request to another key, from a
place where a peer was proved to be, is answered by the key that is here: the peer learns that it has a wrong one.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.state import IPAddress

NONCE_LENGTH = 16
_MAGIC = b"l3nd"
_VERSION = 1
_HEAD = struct.Struct("!4sBB2x8s8s16sHB16s5x")
_MAC_LENGTH = 32
LENGTH = _HEAD.size + _MAC_LENGTH
_ADDRESSES: dict[int, tuple[type[IPv4Address | IPv6Address], int]] = {4: (IPv4Address, 4), 6: (IPv6Address, 16)}


class Kind(enum.Enum):
    """What a message is."""

    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, its proof apart."""

    kind: Kind
    sender: bytes
    """``tag`` of the sender's public key."""
    receiver: bytes
    nonce: bytes
    seen: tuple[IPAddress, int] | None = None
    """Replies: where the request came from, as its receiver saw it."""


def tag(public_key: str) -> bytes:
    """Return the 8 octets that stand for a public key (base64) in messages. Not secret, and no proof."""
    return hashlib.sha256(public_key.encode()).digest()[:8]


def encode(message: Message, secret: bytes) -> bytes:
    """Return the octets of a message, proved by the pair's secret."""
    version, port, address = 0, 0, b""
    if message.seen is not None:
        version, port, address = message.seen[0].version, message.seen[1], message.seen[0].packed
    head = _HEAD.pack(
        _MAGIC, _VERSION, message.kind.value, message.sender, message.receiver, message.nonce, port, version, address
    )
    return head + _proof(head, secret)


def parties(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the tags of sender and receiver that a datagram claims; None if it is no message of this protocol."""
    if len(data) != LENGTH or data[:5] != _MAGIC + bytes([_VERSION]):
        return None
    return data[8:16], data[16:24]


def claimed_nonce(data: bytes, kind: Kind) -> bytes | None:
    """Return the nonce of what claims to be a message of this kind, proved or not; None for anything else."""
    return data[24:40] if parties(data) is not None and data[5] == kind.value else None


def decode(data: bytes, secret: bytes) -> Message | None:
    """Return the message in a datagram; None if it is none, or not proved by this secret."""
    if parties(data) is None or not hmac.compare_digest(data[_HEAD.size :], _proof(data[: _HEAD.size], secret)):
        return None
    _, _, number, sender, receiver, nonce, port, version, address = _HEAD.unpack_from(data)
    try:
        kind = Kind(number)
    except ValueError:
        return None
    seen: tuple[IPAddress, int] | None = None
    if version in _ADDRESSES:
        make, length = _ADDRESSES[version]
        seen = make(address[:length]), port
    message = Message(kind=kind, sender=sender, receiver=receiver, nonce=nonce, seen=seen)
    wanted = seen is not None if kind is Kind.REPLY else seen is None
    # A message has one spelling: padding that is not zero is no message either.
    return message if wanted and encode(message, secret) == data else None


def _proof(head: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, head, hashlib.sha256).digest()
