"""Cluster DNS as a pod sees it: one A query per cluster, as part of the local traffic that must not change."""

from __future__ import annotations

import struct
import sys
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.expectations.places import Pod
    from l3conf.labs.base import Lab
    from l3conf.plugin.cluster_api import ClusterAPI

SERVICE = "/api/v1/namespaces/kube-system/services/kube-dns"
"""The conventional name of a cluster's DNS Service, whatever serves it."""
NAME = "probe.l3conf-probes.svc.cluster.local"
_HEADER = struct.Struct("!HHHHHH")
_RECURSION_DESIRED = 0x0100
_TYPE_A, _CLASS_IN = 1, 1
_POINTER = 0xC0
_SCRIPT = (
    "import socket, sys\n"
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
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
    argv = [sys.executable, "-c", _SCRIPT, server, query(name).hex(), str(_PATIENCE)]
    code, out, _ = lab.run(pod.place, argv, timeout=_PATIENCE + 2)
    if code != 0:
        return "no answer"
    try:
        found = addresses(bytes.fromhex(out.strip()))
    except (ValueError, struct.error, IndexError):
        return "an answer that is no DNS message"
    return f"delivered: {', '.join(map(str, found)) or 'no address'}"


def query(name: str, *, identity: int = 1) -> bytes:
    """Return an A query (RFC 1035 section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    header = _HEADER.pack(identity, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + labels + b"\0" + struct.pack("!HH", _TYPE_A, _CLASS_IN)


def addresses(message: bytes) -> list[IPv4Address]:
    """Return the A records of an answer, sorted. ``ValueError``, ``IndexError`` or ``struct.error`` if malformed."""
    _, _, questions, answers, _, _ = _HEADER.unpack_from(message)
    at = _HEADER.size
    for _ in range(questions):
        at = _after_name(message, at) + 4
    found = []
    for _ in range(answers):
        at = _after_name(message, at)
        kind, _, _, length = struct.unpack_from("!HHIH", message, at)
        at += 10
        if kind == _TYPE_A:
            found.append(IPv4Address(message[at : at + length]))
        at += length
    return sorted(found)


def _after_name(message: bytes, at: int) -> int:
    """Return where a name ends: a pointer (RFC 1035 section 4.1.4) ends it at once."""
    while message[at] and message[at] < _POINTER:
        at += message[at] + 1
    return at + (2 if message[at] >= _POINTER else 1)
