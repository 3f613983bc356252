"""Cluster DNS as a pod sees it: one query per cluster, as part of the local traffic that must not change.

It is asked for addresses of the family in which it is reached.
"""

from __future__ import annotations

import struct
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.expectations.places import Pod
    from l3conf.labs.base import Lab
    from l3conf.model.topology import IPAddress
    from l3conf.plugin.cluster_api import ClusterAPI

SERVICE = "/api/v1/namespaces/kube-system/services/kube-dns"
"""The conventional name of a cluster's DNS Service, whatever serves it."""
NAME = "probe.l3conf-probes.svc.cluster.local"
_HEADER = struct.Struct("!HHHHHH")
_RECURSION_DESIRED = 0x0100
_CLASS_IN = 1
_TYPES = {IPFamily.IPV4: 1, IPFamily.IPV6: 28}
"""A (RFC 1035) and AAAA (RFC 3596)."""
_READERS: dict[int, Callable[[bytes], IPAddress]] = {1: IPv4Address, 28: IPv6Address}
_POINTER = 0xC0
_SCRIPT = (
    "import socket, sys\n"
    "family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
    "s = socket.socket(family, socket.SOCK_DGRAM)\n"
    "s.settimeout(float(sys.argv[3]))\n"
    "s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 53))\n"
    "print(s.recv(4096).hex())\n"
)
_PATIENCE = 1.0


def server_of(api: ClusterAPI) -> str:
    """Return the ClusterIP of a cluster's DNS; empty if it has none."""
    try:
        return str(api.get(SERVICE)["spec"].get("clusterIP", ""))
    except LookupError:
        return ""


def look_up(lab: Lab, pod: Pod, server: str, name: str = NAME) -> str:
    """Ask a cluster's DNS from a pod; return the addresses or what went wrong, in words."""
    try:
        found = resolve(lab, pod, server, name)
    except ValueError:
        return "an answer that is no DNS message"
    if found is None:
        return "no answer"
    return f"delivered: {', '.join(map(str, found)) or 'no address'}"


def resolve(lab: Lab, pod: Pod, server: str, name: str) -> list[IPAddress] | None:
    """Ask a cluster's DNS from a pod; return addresses, None without an answer. ``ValueError`` if malformed."""
    question = query(name, IPFamily.of(ip_address(server)))
    argv = [sys.executable, "-c", _SCRIPT, server, question.hex(), str(_PATIENCE)]
    code, out, _ = lab.run(pod.place, argv, timeout=_PATIENCE + 2)
    if code != 0:
        return None
    try:
        return addresses(bytes.fromhex(out.strip()))
    except (struct.error, IndexError) as error:
        raise ValueError(str(error)) from None


def query(name: str, family: IPFamily = IPFamily.IPV4, *, identity: int = 1) -> bytes:
    """Return a query for the addresses of a family (RFC 1035 section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    header = _HEADER.pack(identity, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + labels + b"\0" + struct.pack("!HH", _TYPES[family], _CLASS_IN)


def addresses(message: bytes) -> list[IPAddress]:
    """Return the A and AAAA records of an answer, sorted within each family.

    ``ValueError``, ``IndexError`` or ``struct.error`` if malformed.
    """
    _, _, questions, answers, _, _ = _HEADER.unpack_from(message)
    at = _HEADER.size
    for _ in range(questions):
        at = _after_name(message, at) + 4
    found: list[IPAddress] = []
    for _ in range(answers):
        at = _after_name(message, at)
        kind, _, _, length = struct.unpack_from("!HHIH", message, at)
        at += 10
        if kind in _READERS:
            found.append(_READERS[kind](message[at : at + length]))
        at += length
    return sorted(found, key=lambda address: (address.version, int(address)))


def _after_name(message: bytes, at: int) -> int:
    """Return where a name ends: a pointer (RFC 1035 section 4.1.4) ends it at once."""
    while message[at] and message[at] < _POINTER:
        at += message[at] + 1
    return at + (2 if message[at] >= _POINTER else 1)
