from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers.foreign_sockets import fit_for_tunnels
from reference_impl.tests.kernel.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = 2
ROOM = 1 << 20
OPTIONS = {socket.AF_INET: (socket.IPPROTO_IP, 10, "127.0.0.1"), socket.AF_INET6: (socket.IPPROTO_IPV6, 23, "::1")}


@contextmanager
def child_with_the_same_sockets() -> Iterator[int]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    try:
        yield child
    finally:
        os.close(write)
        os.waitpid(child, 0)


@pytest.mark.parametrize("family", OPTIONS, ids=["IPv4", "IPv6"])
def test_only_the_sockets_at_the_port_may_be_fragmented(family: socket.AddressFamily) -> None:
    level, option, address = OPTIONS[family]
    with (
        socket.socket(family, socket.SOCK_DGRAM) as tunnel,
        socket.socket(family, socket.SOCK_DGRAM) as other,
        socket.socket(family, socket.SOCK_STREAM),
    ):
        tunnel.bind((address, 0))
        other.bind((address, 0))
        before, room = other.getsockopt(level, option), other.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        with child_with_the_same_sockets() as child:
            assert fit_for_tunnels(child, tunnel.getsockname()[1]) == 1
            assert tunnel.getsockopt(level, option) == 0
            assert other.getsockopt(level, option) == before
            assert other.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == room
            assert fit_for_tunnels(child) == BOTH
            assert tunnel.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == room
            assert other.getsockopt(level, option) == 0


def holds_a_burst() -> None:
    """A socket that nobody reads from holds what a busy node gets in a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tunnel:
        tunnel.bind(("127.0.0.1", 0))
        with child_with_the_same_sockets() as child:
            assert fit_for_tunnels(child, tunnel.getsockname()[1], room=ROOM) == 1
            assert fit_for_tunnels(child, tunnel.getsockname()[1], room=ROOM) == 1
        granted = min(ROOM, int(Path("/proc/sys/net/core/rmem_max").read_text()))
        assert tunnel.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 2 * granted


def test_a_burst_finds_room() -> None:
    holds_a_burst()


@sandboxed
def test_a_burst_finds_the_room_that_anybody_may_ask_for() -> None:
    """In a user namespace nobody has CAP_NET_ADMIN where the kernel asks for it."""
    holds_a_burst()


def test_a_process_that_is_gone_is_an_error() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="No such process"):
        fit_for_tunnels(child, 4500)
