"""A member's source outside tunnels is not believed, however many prefixes members have."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

from reference_impl.drivers.nftables import Table
from reference_impl.names import NODE_TABLE
from reference_impl.planner.node_rules import node_ruleset
from reference_impl.tests.kernel.sandbox import sandboxed, shell


def _arrives(source: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            sender.sendto(b"x", receiver.getsockname())
        try:
            return bool(receiver.recv(1))
        except TimeoutError:
            return False


@sandboxed
def test_every_prefix_counts_whether_compared_or_looked_up_in_a_set() -> None:
    shell("ip link set lo up")
    for number in range(1, 8):
        shell(f"ip address add 10.{number}.0.1/32 dev lo")
    shell("ip address add 10.99.0.1/32 dev lo")
    table = Table(NODE_TABLE)
    for count in (1, 4, 5, 7, 2):
        remote = [ip_network(f"10.{number}.0.0/16") for number in range(1, count + 1)]
        node = ip_address("172.16.1.10")
        table.load(
            node_ruleset(local=[], remote=remote, nodes=[node], sources=[], segments=1450, cables=("vxlan-tunnel",))
        )
        assert [_arrives(f"10.{number}.0.1") for number in range(1, 8)] == [number > count for number in range(1, 8)]
        assert _arrives("10.99.0.1")
        looks = "ip saddr @remote_v4" in shell(f"nft list chain inet {NODE_TABLE} arriving").replace("-", " ")
        assert looks == (count > 4)
