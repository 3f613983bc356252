"""Ways through the FORWARD chains of others, in a real kernel."""

from __future__ import annotations

from functools import partial

import pytest

from reference_impl.agents import route_agent
from reference_impl.drivers.firewalls import Firewalls
from reference_impl.state import Guard, Passage, Side
from reference_impl.tests.kernel.cluster_set import build, configuration, connect, disconnect, observe
from reference_impl.tests.kernel.sandbox import ask_tcp, ask_udp, sandboxed

FIREWALL = """nft -f - <<'END'
table ip filter {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    tcp dport 7001 drop
  }
}
END
"""


@sandboxed
def test_members_pass_a_firewall_that_drops_by_policy_but_none_of_its_rules() -> None:
    east, west, _ = build()
    for node in (*east.nodes, *west.nodes):
        node.shell(FIREWALL)
    connect(east, west)
    connect(west, east)
    for client in east.pods:
        assert client.run(partial(ask_tcp, west.pod_address(1))).endswith(" 1")
    assert east.pods[1].run(lambda: ask_udp(west.pod_address(0))) == east.pod_address(1)
    assert east.pods[1].run(lambda: ask_tcp(west.pod_address(1), 7001, seconds=0.3)) == "timed out"
    assert east.pods[1].run(lambda: ask_udp("192.0.2.1", seconds=0.2)) == "timeout"  # no member: the policy holds


@sandboxed
def test_a_firewall_is_left_as_it_was_found() -> None:
    east, west, _ = build()
    for node in east.nodes:
        node.shell(FIREWALL)
    before = [configuration(node) for node in east.nodes]
    connect(east, west)
    during = [configuration(node) for node in east.nodes]
    connect(east, west)
    assert [configuration(node) for node in east.nodes] == during != before
    east.nodes[0].shell("nft add chain ip filter FORWARD '{ policy accept; }'")
    connect(east, west)
    assert observe(east.nodes[0], route_agent.OWNERSHIP).state.passages == frozenset()
    east.nodes[0].shell("nft add chain ip filter FORWARD '{ policy drop; }'")
    disconnect(east)
    assert [configuration(node) for node in east.nodes] == before


@sandboxed
def test_a_way_that_is_gone_is_removed_without_a_word() -> None:
    east, _, _ = build()
    missing = Passage(guard=Guard(family="ip", table="filter", chain="FORWARD"), side=Side.IN, device="vx-submariner")

    def act(verb: str) -> str:
        getattr(Firewalls("submariner"), verb)(missing)
        return "done"

    assert east.nodes[0].run(partial(act, "remove")) == "done"
    with pytest.raises(AssertionError, match="No such file"):
        east.nodes[0].run(partial(act, "add"))
