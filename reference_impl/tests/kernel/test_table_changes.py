"""What passes while a table changes."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_network

from reference_impl.drivers.nftables import Table
from reference_impl.state import AddressSet, Chain, Ruleset
from reference_impl.tests.kernel.sandbox import sandboxed, shell

CHANGES = 40


def ruleset(number: int, *, hosts: bool = False) -> Ruleset:
    """Return rules that take packets from a set only, of prefixes or hosts, which is another one for each number."""
    others = [ip_network(f"10.{index >> 8}.{index & 255}.0/{32 if hosts else 24}") for index in range(2000)]
    own = ip_network("127.0.0.1/32" if hosts else "127.0.0.0/8")
    known = AddressSet(name="known", version=4, prefixes=frozenset([*others[number:], own]))
    rules = ("ip saddr != @known counter drop",)
    return Ruleset(
        table="l3conf-test", sets=(known,), chains=(Chain(name="in", hook="prerouting", priority="raw", rules=rules),)
    )


@sandboxed
def test_no_packet_is_lost_while_sets_of_prefixes_change() -> None:
    lose_nothing(hosts=False)
    assert "flags interval" in shell("nft list table inet l3conf-test")


@sandboxed
def test_no_packet_is_lost_while_sets_of_hosts_change_which_are_hashed() -> None:
    lose_nothing(hosts=True)
    listing = shell("nft list table inet l3conf-test")
    assert "flags interval" not in listing
    assert f"size {2001 - CHANGES + 1}" in listing


def lose_nothing(*, hosts: bool) -> None:
    shell("ip link set lo up")
    table, lost, sent = Table("l3conf-test"), 0, 0
    table.load(ruleset(0, hosts=hosts))

    def change() -> None:
        for number in range(1, CHANGES):
            table.load(ruleset(number, hosts=hosts))

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
