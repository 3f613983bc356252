"""What the kernel says went wrong with a packet, translated into probe outcomes. Pure.

Three sources: the errno of a system call (nothing was emitted), the errno of a connection, and the socket
error queue (``IP_RECVERR``, ip(7)), which tells ICMP type, code, next-hop MTU and reporter.
"""

from __future__ import annotations

import errno
import functools
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from l3conf.observation import Outcome

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

# linux/errqueue.h
_ORIGIN_LOCAL = 1
_ORIGIN_ICMP = 2
_ORIGIN_ICMP6 = 3
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
"""struct sock_extended_err: errno, origin, type, code, info, data."""

# RFC 792, RFC 1812 section 5.2.7.1
_ICMP_UNREACHABLE, _ICMP_TIME_EXCEEDED, _ICMP_PARAMETER_PROBLEM = 3, 11, 12
_ICMP_PORT_UNREACHABLE, _ICMP_FRAGMENTATION_NEEDED = 3, 4
_UNREACHABLE_CODES = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    5: "source route failed",
    6: "network unknown",
    7: "host unknown",
    9: "network administratively prohibited",
    10: "host administratively prohibited",
    11: "network unreachable for this TOS",
    12: "host unreachable for this TOS",
    13: "communication administratively prohibited",
    14: "host precedence violation",
    15: "precedence cutoff in effect",
}
# RFC 4443
_ICMP6_UNREACHABLE, _ICMP6_TOO_BIG, _ICMP6_TIME_EXCEEDED, _ICMP6_PARAMETER_PROBLEM = 1, 2, 3, 4
_ICMP6_PORT_UNREACHABLE = 4
_UNREACHABLE6_CODES = {
    0: "no route to destination",
    1: "communication administratively prohibited",
    2: "beyond scope of source address",
    3: "address unreachable",
    5: "source address failed policy",
    6: "reject route to destination",
}

_NOT_EMITTED = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENETDOWN, errno.ENONET}
)
"""No route; unreachable, prohibit and blackhole routes; own firewall; interface down."""
_CONNECTION_UNREACHABLE = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EACCES,
        errno.EPROTO,
    }
)
"""What tcp(7) makes of ICMP destination unreachable and parameter problem."""


@dataclass(frozen=True, slots=True)
class PacketError:
    """One error, in the alphabet of probes."""

    outcome: Outcome
    reporter: IPAddress | None = None
    mtu: int | None = None
    detail: str = ""


def errno_name(number: int) -> str:
    """Return ``ECONNREFUSED`` for 111."""
    return errno.errorcode.get(number, f"errno {number}")


def from_send(number: int) -> PacketError:
    """Judge the errno of a system call that was to emit the first packet."""
    outcome = Outcome.NO_ROUTE if number in _NOT_EMITTED else Outcome.HARNESS_ERROR
    return PacketError(outcome, detail=errno_name(number))


def from_connection(number: int, *, established: bool) -> PacketError:
    """Judge the pending error of a TCP socket whose error queue told nothing."""
    detail = errno_name(number)
    if number == errno.ECONNREFUSED and not established:
        return PacketError(Outcome.REFUSED, detail=detail)
    if number in (errno.ECONNRESET, errno.EPIPE, errno.ECONNREFUSED, errno.ECONNABORTED):
        return PacketError(Outcome.RESET if established else Outcome.REFUSED, detail=detail)
    if number in _CONNECTION_UNREACHABLE:
        return PacketError(Outcome.UNREACHABLE, detail=detail)
    if number == errno.ETIMEDOUT:
        return PacketError(Outcome.TIMEOUT, detail=detail)
    return PacketError(Outcome.HARNESS_ERROR, detail=detail)


@functools.lru_cache(maxsize=1024)
def from_error_queue(control: bytes) -> PacketError | None:
    """Judge an ``IP_RECVERR``/``IPV6_RECVERR`` control message; None if it says nothing about a probe's end."""
    if len(control) < _EXTENDED_ERROR.size:
        return None
    number, origin, kind, code, info, _ = _EXTENDED_ERROR.unpack_from(control)
    if origin == _ORIGIN_LOCAL:
        if number == errno.EMSGSIZE:
            return PacketError(Outcome.TOO_BIG, mtu=info, detail="EMSGSIZE: known to the sender's kernel")
        return from_send(number)
    reporter = _offender(control[_EXTENDED_ERROR.size :])
    if origin == _ORIGIN_ICMP:
        return _from_icmp(kind, code, info, reporter)
    if origin == _ORIGIN_ICMP6:
        return _from_icmp6(kind, code, info, reporter)
    return None


def _from_icmp(kind: int, code: int, info: int, reporter: IPAddress | None) -> PacketError | None:
    if kind == _ICMP_UNREACHABLE:
        if code == _ICMP_PORT_UNREACHABLE:
            return PacketError(Outcome.REFUSED, reporter, detail="port unreachable")
        if code == _ICMP_FRAGMENTATION_NEEDED:
            return PacketError(Outcome.TOO_BIG, reporter, info, "fragmentation needed")
        return PacketError(Outcome.UNREACHABLE, reporter, detail=_UNREACHABLE_CODES.get(code, f"code {code}"))
    if kind == _ICMP_TIME_EXCEEDED and code == 0:
        return PacketError(Outcome.TTL_EXCEEDED, reporter, detail="time to live exceeded in transit")
    if kind == _ICMP_PARAMETER_PROBLEM:
        return PacketError(Outcome.UNREACHABLE, reporter, detail=f"parameter problem, code {code}")
    return None


def _from_icmp6(kind: int, code: int, info: int, reporter: IPAddress | None) -> PacketError | None:
    if kind == _ICMP6_UNREACHABLE:
        if code == _ICMP6_PORT_UNREACHABLE:
            return PacketError(Outcome.REFUSED, reporter, detail="port unreachable")
        return PacketError(Outcome.UNREACHABLE, reporter, detail=_UNREACHABLE6_CODES.get(code, f"code {code}"))
    if kind == _ICMP6_TOO_BIG:
        return PacketError(Outcome.TOO_BIG, reporter, info, "packet too big")
    if kind == _ICMP6_TIME_EXCEEDED and code == 0:
        return PacketError(Outcome.TTL_EXCEEDED, reporter, detail="hop limit exceeded in transit")
    if kind == _ICMP6_PARAMETER_PROBLEM:
        return PacketError(Outcome.UNREACHABLE, reporter, detail=f"parameter problem, code {code}")
    return None


def _offender(address: bytes) -> IPAddress | None:
    """Read the ``struct sockaddr_in`` or ``sockaddr_in6`` behind the extended error (SO_EE_OFFENDER)."""
    if len(address) < 8:  # noqa: PLR2004 - family, port and an IPv4 address
        return None
    (family,) = struct.unpack_from("=H", address)
    if family == socket.AF_INET:
        return IPv4Address(address[4:8])
    if family == socket.AF_INET6 and len(address) >= 24:  # noqa: PLR2004 - up to the address
        return IPv6Address(address[8:24])
    return None
