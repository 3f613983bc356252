"""Sockets as probes need them, one table row per address family instead of branches.

Python 3.11 does not name most of these options; the numbers are those of linux/in.h, in6.h and icmp.h.
"""

from __future__ import annotations

import functools
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

_PMTUDISC_DONT = 0
_PMTUDISC_DO = 2
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
RXQ_OVFL = 40
"""SO_RXQ_OVFL: a control message with how many datagrams the socket has dropped, once there are any (socket(7))."""
_SOL_RAW = 255
_SCTP_NODELAY = 3
_BUFFER = 4 << 20
"""Bytes of socket buffer asked for: a burst must never be lost in the harness itself."""
_BACKLOG = 4096
_ETHERTYPES = {4: 0x0800, 6: 0x86DD}


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyOptions:
    """What one address family calls its socket options."""

    family: int
    level: int
    any: str
    receive_errors: int
    """IP_RECVERR: queue ICMP errors with their type, code and reporter."""
    ttl: int
    traffic_class: int
    """Socket option, and control message that tells it of a datagram."""
    receive_traffic_class: int
    mtu_discover: int
    receive_packet_info: int
    packet_info: int
    """Control message that tells, or sets, the local address of a datagram."""
    icmp: int
    echo_request: int
    echo_reply: int
    largest_udp: int
    """Bytes of payload in the longest datagram."""


IPV4 = FamilyOptions(
    family=socket.AF_INET,
    level=socket.IPPROTO_IP,
    any="0.0.0.0",  # noqa: S104 - a probe server listens on every address of its place
    receive_errors=11,
    ttl=socket.IP_TTL,
    traffic_class=socket.IP_TOS,
    receive_traffic_class=13,
    mtu_discover=10,
    receive_packet_info=8,
    packet_info=8,
    icmp=socket.IPPROTO_ICMP,
    echo_request=8,
    echo_reply=0,
    largest_udp=65507,
)
IPV6 = FamilyOptions(
    family=socket.AF_INET6,
    level=socket.IPPROTO_IPV6,
    any="::",
    receive_errors=25,
    ttl=socket.IPV6_UNICAST_HOPS,
    traffic_class=socket.IPV6_TCLASS,
    receive_traffic_class=socket.IPV6_RECVTCLASS,
    mtu_discover=23,
    receive_packet_info=socket.IPV6_RECVPKTINFO,
    packet_info=socket.IPV6_PKTINFO,
    icmp=socket.IPPROTO_ICMPV6,
    echo_request=128,
    echo_reply=129,
    largest_udp=65527,
)
FAMILIES = (IPV4, IPV6)


def options_of(address: IPAddress) -> FamilyOptions:
    """Return the row of an address's family."""
    return IPV4 if address.version == 4 else IPV6  # noqa: PLR2004 - the IP version number


def presentation(packed: bytes) -> str:
    """Return a packed address as sockets take it."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)  # noqa: PLR2004 - IPv4


def udp_server(options: FamilyOptions, port: int = PORT) -> socket.socket:
    """Open a UDP socket on every address of the current namespace that learns which of them was addressed."""
    sock = _bound(options, socket.SOCK_DGRAM, port)
    sock.setsockopt(options.level, options.receive_packet_info, 1)
    sock.setsockopt(options.level, options.receive_traffic_class, 1)
    sock.setsockopt(socket.SOL_SOCKET, RXQ_OVFL, 1)
    # A large answer may be fragmented on its way, as the query may: the prober asked for a size, not for DF.
    sock.setsockopt(options.level, options.mtu_discover, _PMTUDISC_DONT)
    _enlarge(sock)
    return sock


def tcp_server(options: FamilyOptions, port: int = PORT) -> socket.socket:
    """Open a listening TCP socket on every address of the current namespace."""
    sock = _bound(options, socket.SOCK_STREAM, port)
    sock.listen(_BACKLOG)
    return sock


def tcp_client(options: FamilyOptions, ttl: int | None) -> socket.socket:
    """Open an unconnected TCP socket that sends every write at once and queues ICMP errors."""
    sock = socket.socket(options.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(options.level, options.receive_errors, 1)
    if ttl is not None:
        sock.setsockopt(options.level, options.ttl, ttl)
    return sock


@functools.cache
def has_sctp() -> bool:
    """Say whether the kernel has SCTP sockets; asking for one loads its module where that is allowed."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


def sctp_server(options: FamilyOptions, port: int = PORT) -> socket.socket:
    """Open a listening SCTP socket on every address of the current namespace, one association a connection."""
    sock = _bound(options, socket.SOCK_STREAM, port, socket.IPPROTO_SCTP)
    sock.listen(_BACKLOG)
    return sock


def sctp_client(options: FamilyOptions, ttl: int | None) -> socket.socket:
    """Open an unconnected SCTP socket that sends every write at once and queues ICMP errors."""
    sock = socket.socket(options.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, socket.IPPROTO_SCTP)
    sock.setsockopt(socket.IPPROTO_SCTP, _SCTP_NODELAY, 1)
    sock.setsockopt(options.level, options.receive_errors, 1)
    if ttl is not None:
        sock.setsockopt(options.level, options.ttl, ttl)
    return sock


def raw_sctp(options: FamilyOptions, *, ttl: int | None = None, dont_fragment: bool = False) -> socket.socket:
    """Open a raw socket that sends and sees SCTP packets. ``PermissionError`` without CAP_NET_RAW."""
    sock = socket.socket(options.family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_SCTP)
    _prepare_client(sock, options, ttl, dont_fragment=dont_fragment)
    return sock


def udp_client(options: FamilyOptions, *, ttl: int | None = None, dont_fragment: bool = False) -> socket.socket:
    """Open an unbound UDP socket that queues ICMP errors."""
    sock = socket.socket(options.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    _prepare_client(sock, options, ttl, dont_fragment=dont_fragment)
    return sock


def numbered_sender(options: FamilyOptions) -> socket.socket:
    """Open an unbound UDP socket to which ICMP errors are no errors: what they say is told by what is missing."""
    sock = socket.socket(options.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(options.level, options.mtu_discover, _PMTUDISC_DONT)
    return sock


def echo_client(options: FamilyOptions, *, ttl: int | None = None, dont_fragment: bool = False) -> socket.socket:
    """Open a socket for ICMP echo: a ping socket where the namespace allows it (icmp(7)), else a raw one."""
    try:
        sock = socket.socket(options.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, options.icmp)
        sock.bind((options.any, 0))  # gives it its identifier
    except PermissionError:
        sock = _raw_echo(options, options.echo_reply)
    _prepare_client(sock, options, ttl, dont_fragment=dont_fragment)
    return sock


def echo_watcher(options: FamilyOptions) -> socket.socket:
    """Open a raw socket that sees the echo requests which the kernel answers. ``PermissionError`` without rights."""
    sock = _raw_echo(options, options.echo_request)
    _enlarge(sock)
    return sock


def raw_sender(options: FamilyOptions) -> socket.socket:
    """Open a socket that emits complete IP packets and receives nothing. ``PermissionError`` without rights."""
    return socket.socket(options.family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)


def link_sender() -> socket.socket:
    """Open a socket that hands complete IP packets to devices (packet(7)). ``PermissionError`` without rights."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)


def link_address(device: str, destination: IPAddress) -> tuple[str, int]:
    """Return what ``sendto`` of ``link_sender`` takes for an IP packet."""
    return device, _ETHERTYPES[destination.version]


def _bound(options: FamilyOptions, kind: int, port: int, protocol: int = 0) -> socket.socket:
    sock = socket.socket(options.family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        if kind == socket.SOCK_STREAM:
            # Connections in TIME_WAIT must not keep a restarted server from its port; for UDP it would allow theft.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((options.any, port))
    except OSError:
        sock.close()
        raise
    return sock


def _raw_echo(options: FamilyOptions, wanted: int) -> socket.socket:
    sock = socket.socket(options.family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, options.icmp)
    if options.family == socket.AF_INET:
        mask = ~(1 << wanted) & 0xFFFFFFFF  # a set bit blocks (struct icmp_filter)
        sock.setsockopt(_SOL_RAW, 1, struct.pack("=I", mask))
    else:
        words = [0xFFFFFFFF] * 8  # a set bit blocks (struct icmp6_filter)
        words[wanted >> 5] &= ~(1 << (wanted & 31)) & 0xFFFFFFFF
        sock.setsockopt(socket.IPPROTO_ICMPV6, 1, struct.pack("=8I", *words))
    return sock


def _prepare_client(sock: socket.socket, options: FamilyOptions, ttl: int | None, *, dont_fragment: bool) -> None:
    sock.setsockopt(options.level, options.receive_errors, 1)
    # Explicit both ways: the kernel's default sets DF on what seems to fit, which answers neither question.
    sock.setsockopt(options.level, options.mtu_discover, _PMTUDISC_DO if dont_fragment else _PMTUDISC_DONT)
    if ttl is not None:
        sock.setsockopt(options.level, options.ttl, ttl)
    _enlarge(sock)


def _enlarge(sock: socket.socket) -> None:
    """Ask for large buffers beyond net.core.rmem_max, which takes CAP_NET_ADMIN; be content with less."""
    for forced, ordinary in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
        except OSError:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, ordinary, _BUFFER)
