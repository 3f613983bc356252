"""WireGuard devices: the seam, the kernel's (generic netlink), and wireguard-go's (a Unix socket).

Which of the two a device is shows in its kind: ``wireguard`` belongs to the kernel; ``tun`` belongs to the process of
``reference_impl.agents.wireguard_engine``, which keeps it while agents come and go.
"""

from __future__ import annotations

import base64
import errno
import os
import socket
from contextlib import closing
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reference_impl.drivers.kernel import KernelError
from reference_impl.drivers.netlink import IPRoute, NetlinkError, WireGuard, existing_index
from reference_impl.protocols.wireguard_uapi import (
    END,
    GET,
    DeviceState,
    PeerState,
    WireGuardProtocolError,
    parse_device,
    parse_errno,
    remove_peer,
    reset_device,
    set_device,
    set_peer,
)

if TYPE_CHECKING:
    from reference_impl.state import WireGuardPeer

SOCKET_DIRECTORY = Path("/run/wireguard")
"""Compiled into wireguard-go."""
_TIMEOUT = 5.0
_TRIAL = "submariner-try"
_LARGEST_READ = 65536


class WireGuardControl(Protocol):
    """One device's keys and peers. Every method may raise ``KernelError``."""

    def read(self) -> DeviceState | None:
        """Return the device's state; None while nobody serves it."""

    def configure(self, private_key: bytes, port: int) -> None:
        """Give the device its key and port; peers stay."""

    def reset(self) -> None:
        """Take key, port and peers away."""

    def set_peer(self, peer: WireGuardPeer) -> None:
        """Add or change a peer; without an endpoint the learnt one stays."""

    def remove_peer(self, public_key: str) -> None:
        """Remove a peer; no error if it is gone."""


def kernel_has_wireguard() -> bool:
    """Say whether the kernel can make WireGuard devices: make one, take it away."""
    with closing(IPRoute()) as netlink:
        try:
            netlink.link("add", ifname=_TRIAL, kind="wireguard")
        except NetlinkError as error:
            if error.code == errno.EEXIST:
                return True
            if error.code == errno.EOPNOTSUPP:
                return False
            raise KernelError(f"link {_TRIAL}: {os.strerror(error.code)}") from None
        netlink.link("del", index=existing_index(_TRIAL))
        return True


class UserspaceControl:
    """wireguard-go, over its socket. A socket a call: the process may have been replaced between two."""

    def __init__(self, device: str, directory: Path = SOCKET_DIRECTORY) -> None:
        self._path = directory / f"{device}.sock"

    def read(self) -> DeviceState | None:
        """Return the device's state; None while nobody serves it."""
        try:
            answer = self._ask(GET)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise KernelError(f"wireguard-go: {error}") from error
        try:
            return parse_device(answer)
        except WireGuardProtocolError as error:
            raise KernelError(f"wireguard-go: {error}") from None

    def configure(self, private_key: bytes, port: int) -> None:
        """Give the device its key and port.

        The port is not named again if it has it: wireguard-go would close and open its sockets, and lose what arrives.
        """
        state = self.read()
        self._do(set_device(private_key, None if state is not None and state.port == port else port))

    def reset(self) -> None:
        """Take key, port and peers away."""
        self._do(reset_device())

    def set_peer(self, peer: WireGuardPeer) -> None:
        """Add or change a peer."""
        self._do(set_peer(peer))

    def remove_peer(self, public_key: str) -> None:
        """Remove a peer."""
        self._do(remove_peer(public_key))

    def _do(self, request: bytes) -> None:
        try:
            number = parse_errno(self._ask(request))
        except (OSError, WireGuardProtocolError) as error:
            raise KernelError(f"wireguard-go: {error}") from None
        if number:
            raise KernelError(f"wireguard-go: {os.strerror(abs(number))}")

    def _ask(self, request: bytes) -> bytes:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(str(self._path))
            connection.sendall(request)
            answer = b""
            while not answer.endswith(END):
                piece = connection.recv(_LARGEST_READ)
                if not piece:
                    break
                answer += piece
            return answer


class KernelControl:
    """The kernel's WireGuard, over generic netlink."""

    def __init__(self, device: str) -> None:
        self._device = device

    def read(self) -> DeviceState | None:
        """Return the device's state."""
        try:
            with closing(WireGuard()) as netlink:
                return device_state(netlink.info(self._device))
        except (NetlinkError, OSError) as error:
            raise KernelError(f"WireGuard in the kernel: {error}") from error

    def configure(self, private_key: bytes, port: int) -> None:
        """Give the device its key and port."""
        self._set(private_key=base64.b64encode(private_key).decode(), listen_port=port)

    def reset(self) -> None:
        """Do nothing: the device itself is deleted."""

    def set_peer(self, peer: WireGuardPeer) -> None:
        """Add or change a peer."""
        request: dict[str, Any] = {
            "public_key": peer.public_key,
            "persistent_keepalive": peer.keepalive,
            "replace_allowed_ips": True,
            "allowed_ips": sorted(map(str, peer.allowed)),
        }
        if peer.endpoint is not None:
            request |= {"endpoint_addr": str(peer.endpoint[0]), "endpoint_port": peer.endpoint[1]}
        self._set(peer=request)

    def remove_peer(self, public_key: str) -> None:
        """Remove a peer."""
        self._set(peer={"public_key": public_key, "remove": True})

    def _set(self, **request: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
        try:
            with closing(WireGuard()) as netlink:
                netlink.set(self._device, **request)
        except (NetlinkError, OSError) as error:
            # The text of an error of pyroute2 may repeat the request, and that may hold a key.
            code = getattr(error, "code", None) or getattr(error, "errno", None) or errno.EIO
            raise KernelError(f"WireGuard in the kernel: {os.strerror(code)}") from None


def device_state(messages: Any) -> DeviceState:  # noqa: ANN401 - pyroute2 is untyped
    """Put the parts of a dump together: a device with many peers comes in several messages."""
    private_key: bytes | None = None
    port = 0
    peers: dict[str, PeerState] = {}
    for message in messages:
        if encoded := message.get("WGDEVICE_A_PRIVATE_KEY"):
            private_key = base64.b64decode(encoded)
        port = message.get("WGDEVICE_A_LISTEN_PORT") or port
        for entry in message.get("WGDEVICE_A_PEERS") or ():
            peer = _peer_state(entry)
            known = peers.get(peer.public_key)
            peers[peer.public_key] = peer if known is None else _joined(known, peer)
    return DeviceState(private_key=private_key, port=port, peers=tuple(peers.values()))


def _joined(first: PeerState, more: PeerState) -> PeerState:
    return PeerState(
        public_key=first.public_key,
        allowed=first.allowed | more.allowed,
        endpoint=first.endpoint,
        keepalive=first.keepalive,
        handshake=first.handshake,
    )


def _peer_state(entry: Any) -> PeerState:  # noqa: ANN401 - pyroute2 is untyped
    endpoint, handshake = entry.get("WGPEER_A_ENDPOINT"), entry.get("WGPEER_A_LAST_HANDSHAKE_TIME")
    return PeerState(
        public_key=bytes(entry.get("WGPEER_A_PUBLIC_KEY")).decode(),
        allowed=frozenset(ip_network(item["addr"]) for item in entry.get("WGPEER_A_ALLOWEDIPS") or ()),
        endpoint=(ip_address(endpoint["addr"]), endpoint["port"]) if endpoint else None,
        keepalive=entry.get("WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL") or 0,
        handshake=handshake["tv_sec"] if handshake else 0,
    )
