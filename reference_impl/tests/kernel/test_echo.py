"""The agents' echo in a real kernel."""

from __future__ import annotations

import select
from contextlib import closing
from ipaddress import ip_address

from reference_impl.drivers.echo import RawEcho
from reference_impl.protocols.echo import EchoReply
from reference_impl.tests.kernel.sandbox import sandboxed, shell


@sandboxed
def test_echoes_of_both_ip_versions_come_back_through_one_descriptor() -> None:
    shell("sysctl -qw net.ipv6.conf.lo.disable_ipv6=0")
    with closing(RawEcho()) as echo, closing(RawEcho()) as somebody_else:
        for sequence, address in enumerate(map(ip_address, ("127.0.0.1", "::1", "127.0.0.2"))):
            assert somebody_else.send(address, 9, sequence)
            assert echo.send(address, 7, sequence)
        heard: set[EchoReply] = set()
        while len(heard) < 3:
            assert select.select([echo], [], [], 5.0)[0], heard
            while (reply := echo.receive()) is not None:
                heard.add(reply)
        assert heard == {EchoReply(7, sequence) for sequence in range(3)}


@sandboxed
def test_a_request_without_a_way_is_not_taken_for_sent() -> None:
    with closing(RawEcho()) as echo:
        assert not echo.send(ip_address("192.0.2.1"), 7, 1)
        assert not echo.send(ip_address("2001:db8::1"), 7, 1)
