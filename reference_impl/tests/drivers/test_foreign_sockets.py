from __future__ import annotations

import os
import socket

import pytest

from reference_impl.drivers.foreign_sockets import let_fragment

BOTH = 2
OPTIONS = {socket.AF_INET: (socket.IPPROTO_IP, 10, "127.0.0.1"), socket.AF_INET6: (socket.IPPROTO_IPV6, 23, "::1")}


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
        before = other.getsockopt(level, option)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        try:
            assert let_fragment(child, tunnel.getsockname()[1]) == 1
            assert tunnel.getsockopt(level, option) == 0
            assert other.getsockopt(level, option) == before
            assert let_fragment(child) == BOTH
            assert other.getsockopt(level, option) == 0
        finally:
            os.close(write)
            os.waitpid(child, 0)


def test_a_process_that_is_gone_is_an_error() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="No such process"):
        let_fragment(child, 4500)
