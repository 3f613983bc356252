"""What passes while a table changes."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_network

from reference_impl.drivers.nftables import Table
from reference_impl.state import AddressSet, Chain, Ruleset
from reference_impl.tests.kernel.sandbox import sandboxed, shell

CHANGES = 40


def ruleset(number: int) -> Ruleset:
    """Return rules that take packets from a set only, which is another one for each number."""
    prefixes = [ip_network(f"10.{index >> 8}.{index & 255}.0/24") for index in range(2000)]
    known = AddressSet(name="known", version=4, prefixes=frozenset([*prefixes[number:], ip_network("127.0.0.0/8")]))
    rules = ("ip saddr != @known counter drop",)
    return Ruleset(
        table="l3conf-test", sets=(known,), chains=(Chain(name="in", hook="prerouting", priority="raw", rules=rules),)
    )


@sandboxed
def test_no_packet_is_lost_while_sets_change() -> None:
    shell("ip link set lo up")
    table, lost, sent = Table("l3conf-test"), 0, 0
    table.load(ruleset(0))

    def change() -> None:
        for number in range(1, CHANGES):
            table.load(ruleset(number))

    changing = threading.Thread(target=change)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)  # loopback delivers at once, but for a word of the scheduler
        changing.start()
        while changing.is_alive():
            sent += 1
            receiver.sendto(b"x", receiver.getsockname())
            try:
                receiver.recv(1)
            except TimeoutError:
                lost += 1
        changing.join()
    assert (lost, sent > CHANGES) == (0, True)
    listing = shell("nft list table inet l3conf-test")
    assert (listing.count("set known-"), listing.count("chain loaded-")) == (1, 1)
    assert table.digest() is not None
