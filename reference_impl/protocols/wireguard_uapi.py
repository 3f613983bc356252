"""The text protocol of userspace WireGuard (wireguard.com/xplatform): one request, one answer, keys in hex.

A request is ``get=1`` or ``set=1`` with ``key=value`` lines, ended by an empty line; the answer likewise, its last line
``errno=<n>``. Nothing here is ever logged: a request to set a device holds its private key.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reference_impl.state import IPAddress, IPNetwork, WireGuardPeer

GET = b"get=1\n\n"
END = b"\n\n"
"""How an answer ends."""
_NO_KEY = bytes(32)


class WireGuardProtocolError(ValueError):
    """An answer that is none; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerState:
    """A peer as a device has it."""

    public_key: str
    allowed: frozenset[IPNetwork] = frozenset()
    endpoint: tuple[IPAddress, int] | None = None
    keepalive: int = 0
    handshake: int = 0
    """Unix seconds of the last one; 0: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DeviceState:
    """A device as it is."""

    private_key: bytes | None
    """32 bytes; None: it has none yet."""
    port: int
    peers: tuple[PeerState, ...] = ()


def set_device(private_key: bytes, port: int | None) -> bytes:
    """Return the request that gives a device its key and port (None: as it is), and leaves peers as they are."""
    ports = [] if port is None else [("listen_port", str(port))]
    return _request([("private_key", private_key.hex()), *ports])


def reset_device() -> bytes:
    """Return the request that takes everything from a device."""
    return _request([("private_key", _NO_KEY.hex()), ("listen_port", "0"), ("replace_peers", "true")])


def set_peer(peer: WireGuardPeer) -> bytes:
    """Return the request that adds a peer or changes it; without ``endpoint`` what was learnt stays."""
    lines = [("public_key", _hex(peer.public_key))]
    if peer.endpoint is not None:
        lines.append(("endpoint", _write_endpoint(*peer.endpoint)))
    lines.append(("persistent_keepalive_interval", str(peer.keepalive)))
    lines.append(("replace_allowed_ips", "true"))
    lines.extend(("allowed_ip", str(prefix)) for prefix in sorted(peer.allowed, key=str))
    return _request(lines)


def remove_peer(public_key: str) -> bytes:
    """Return the request that removes a peer; no error if it is gone."""
    return _request([("public_key", _hex(public_key)), ("remove", "true")])


def parse_errno(answer: bytes) -> int:
    """Return the error number of an answer, 0 for success."""
    return int(_pairs(answer)[-1][1])


def parse_device(answer: bytes) -> DeviceState:
    """Read the answer to ``GET``. ``WireGuardProtocolError`` names the line that cannot be read."""
    private_key: bytes | None = None
    port = 0
    peers: list[dict[str, list[str]]] = []
    for key, value in _pairs(answer)[:-1]:
        if key == "private_key":
            private_key = _bytes(value)
        elif key == "listen_port":
            port = _number(key, value)
        elif key == "public_key":
            peers.append({key: [value]})
        elif peers:
            peers[-1].setdefault(key, []).append(value)
    return DeviceState(
        private_key=None if private_key == _NO_KEY else private_key, port=port, peers=tuple(map(_peer, peers))
    )


def _peer(fields: dict[str, list[str]]) -> PeerState:
    endpoint = fields.get("endpoint")
    try:
        return PeerState(
            public_key=base64.b64encode(_bytes(fields["public_key"][0])).decode(),
            allowed=frozenset(ip_network(text) for text in fields.get("allowed_ip", ())),
            endpoint=_read_endpoint(endpoint[0]) if endpoint else None,
            keepalive=int(fields.get("persistent_keepalive_interval", ["0"])[0]),
            handshake=int(fields.get("last_handshake_time_sec", ["0"])[0]),
        )
    except ValueError as error:
        raise WireGuardProtocolError(f"peer: {error}") from None


def _request(lines: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in [("set", "1"), *lines]).encode() + b"\n"


def _pairs(answer: bytes) -> list[tuple[str, str]]:
    if not answer.endswith(END):
        raise WireGuardProtocolError("answer: it has no end")
    pairs = []
    for number, line in enumerate(answer.decode("ascii", "replace").splitlines()[:-1], 1):
        key, separator, value = line.partition("=")
        if not separator:
            raise WireGuardProtocolError(f"answer: line {number} is not key=value")
        pairs.append((key, value))
    if not pairs or pairs[-1][0] != "errno" or not pairs[-1][1].lstrip("-").isdecimal():
        raise WireGuardProtocolError("answer: the last line is not errno=<number>")
    return pairs


def _number(key: str, value: str) -> int:
    if not value.isdecimal():
        raise WireGuardProtocolError(f"{key}: not a number")
    return int(value)


def _bytes(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise WireGuardProtocolError("a key is not in hex") from None
    if len(key) != len(_NO_KEY):
        raise WireGuardProtocolError("a key does not have 32 bytes")
    return key


def _hex(key: str) -> str:
    return base64.b64decode(key).hex()


def _write_endpoint(address: IPAddress, port: int) -> str:
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"  # noqa: PLR2004 - IP version


def _read_endpoint(text: str) -> tuple[IPAddress, int]:
    host, _, port = text.rpartition(":")
    return ip_address(host.strip("[]")), int(port)
