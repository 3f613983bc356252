"""What connection tracking says of itself, in a real kernel."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from reference_impl.drivers.tracking import read_tracking
from reference_impl.tests.kernel.sandbox import sandboxed, shell

if TYPE_CHECKING:
    from pathlib import Path


@sandboxed
def test_flows_that_find_no_port_are_counted_and_those_that_do_are_not() -> None:
    shell("ip link set lo up")
    shell("nft add table ip few")
    shell("nft add chain ip few leaving '{ type nat hook postrouting priority srcnat; }'")
    shell("nft add rule ip few leaving udp dport 9 snat to 127.0.0.2:2000-2003")

    def begin(count: int) -> None:
        for _ in range(count):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with suppress(OSError):
                sock.sendto(b"", ("127.0.0.1", 9))

    with ExitStack() as stack:
        begin(4)
        enough = read_tracking()
        begin(2)
        short = read_tracking()
    assert enough is not None
    assert short is not None
    assert (enough.refused, short.refused) == (0, 2)
    assert 0 < enough.entries == short.entries <= short.limit


def test_a_kernel_that_says_nothing_or_something_else_is_no_error(tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    assert read_tracking(odd, odd) is None
    odd.write_text("entries drop\n00000001\n")
    assert read_tracking(odd, odd) is None
