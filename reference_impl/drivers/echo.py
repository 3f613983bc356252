"""ICMP echo from this node: the seam, and the raw socket behind it."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Protocol

from reference_impl.protocols.echo import NONCE_LENGTH, EchoReply, echo_request, parse_reply

if TYPE_CHECKING:
    from reference_impl.state import IPAddress

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_LARGEST = 2048
_SOL_RAW = 255
_ICMP_FILTER = 1
_ALL_BUT_ECHO_REPLY = struct.pack("=I", 0xFFFFFFFF ^ 1)


class Echo(Protocol):
    """Sends echo requests and hears the replies to them."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable with a reply."""

    def send(self, destination: IPAddress, identifier: int, sequence: int) -> bool:
        """Send a request; False if the kernel had no way for it (nothing was emitted)."""

    def receive(self) -> EchoReply | None:
        """Return one reply to a request of ours; None when there is no more."""

    def close(self) -> None:
        """Close the socket."""


class RawEcho:
    """A raw ICMP socket of one family; needs CAP_NET_RAW."""

    def __init__(self, version: int = 4) -> None:
        self._version = version
        self._nonce = os.urandom(NONCE_LENGTH)
        self._socket = socket.socket(_FAMILIES[version], socket.SOCK_RAW, _PROTOCOLS[version])
        self._socket.settimeout(0)
        if version == 4:  # noqa: PLR2004 - the IP version number
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, _ALL_BUT_ECHO_REPLY)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, destination: IPAddress, identifier: int, sequence: int) -> bool:
        """Send a request."""
        try:
            packet = echo_request(self._version, identifier, sequence, self._nonce)
            self._socket.sendto(packet, (str(destination), 0))
        except OSError:
            return False
        return True

    def receive(self) -> EchoReply | None:
        """Return the next reply of ours, skipping other people's."""
        while True:
            try:
                packet = self._socket.recv(_LARGEST)
            except OSError:
                return None
            reply = parse_reply(self._version, packet, self._nonce)
            if reply is not None:
                return reply

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
