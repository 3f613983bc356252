"""Counters in a real kernel: what passes is counted by peer and way, and no change of plan forgets any of it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from reference_impl.agents import gateway
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.drivers.meters import MeterTable
from reference_impl.meter_script import STRANGERS, counter_name, mark
from reference_impl.names import CABLE_PORT
from reference_impl.planner.metrics import traffic
from reference_impl.state import Flow, KernelState, Meter, Meters
from reference_impl.tests.kernel.cluster_set import build, connect, converge, observe
from reference_impl.tests.kernel.sandbox import ask_udp, sandboxed, shell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_impl.state import Count
    from reference_impl.tests.kernel.cluster_set import Site

ASKED, OTHER = 7, "10.9.0.0/16"


def counts(site: Site) -> Mapping[str, Count]:
    def inside() -> str:
        kernel = LinuxKernel(gateway.OWNERSHIP)
        found = kernel.counts()
        kernel.close()
        return pickle.dumps(found).hex()

    found: Mapping[str, Count] = pickle.loads(bytes.fromhex(site.nodes[0].run(inside)))  # noqa: S301 - our own child
    return found


def counted(site: Site, peer: Site) -> Mapping[Flow, Count]:
    return traffic([peer.cluster.cluster_id], counts(site))[peer.cluster.cluster_id]


def ask(east: Site, west: Site) -> None:
    for _ in range(ASKED):
        assert east.pods[1].run(lambda: ask_udp(west.pod_address(1))) == east.pod_address(1)


def with_another_peer(plan: KernelState) -> KernelState:
    """Return a plan in which one more peer is counted, as when a member joins."""
    if plan.meters is None:
        return plan
    prefixes = frozenset(next(iter(plan.meters.meters)).prefixes)
    more = Meter(peer="other", prefixes=frozenset(type(one)(OTHER) for one in prefixes if one.version == 4))
    return replace(plan, meters=replace(plan.meters, meters=plan.meters.meters | {more}))


@sandboxed
def test_both_ends_count_what_passes_and_agree() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    ask(east, west)
    here, there = counted(east, west), counted(west, east)
    assert here[Flow.SENT].packets == here[Flow.RECEIVED].packets == ASKED
    assert here[Flow.SENT] == there[Flow.RECEIVED]
    assert here[Flow.RECEIVED] == there[Flow.SENT]


@sandboxed
def test_counters_outlive_restarts_and_changes_of_plan_and_go_with_their_table() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    ask(east, west)
    before = counted(east, west)
    connect(east, west)
    assert counted(east, west) == before
    connect(east, west, change=with_another_peer)
    assert counted(east, west) == before
    ask(east, west)
    connect(east, west)
    assert counted(east, west)[Flow.SENT].packets == 2 * ASKED
    assert "other" not in traffic(["other"], counts(east))
    converge(east.nodes[0], gateway.OWNERSHIP, lambda _: KernelState())
    assert observe(east.nodes[0], gateway.OWNERSHIP).state.meters is None
    assert "submariner" not in east.nodes[0].shell("nft list tables | grep -v 'submariner$' || true")


@sandboxed
def test_tunnel_packets_of_strangers_are_counted_before_they_are_dropped() -> None:
    east, west, router = build()
    connect(east, west)
    connect(west, east)
    ask(east, west)
    assert counts(east)[STRANGERS].packets == 0
    router.run(lambda: ask_udp(east.node_address(0), port=CABLE_PORT, seconds=0.1))
    assert counts(east)[STRANGERS].packets == 1


@sandboxed
def test_a_thousand_prefixes_are_counted_without_privilege_on_the_host() -> None:
    shell("ip link set lo up")
    table = MeterTable("l3conf-test")
    peers = [
        Meter(
            peer=f"member-{number}", prefixes=frozenset(ip_network(f"10.{number}.{i}.0/24") for i in range(0, 200, 2))
        )
        for number in range(10)
    ]
    few = Meters(table="l3conf-test", devices=frozenset({"lo"}), meters=frozenset(peers[:1]))
    table.load(few)
    assert table.mark() == mark(few)
    many = replace(few, meters=frozenset(peers))
    table.load(many)
    assert table.mark() == mark(many)
    table.load(few)
    assert table.mark() == mark(few)
    assert shell("nft list maps | grep -c 'map '").strip() == "4", "maps of what was loaded before are gone"


@sandboxed
def test_what_an_interrupted_load_left_is_in_nobodys_way() -> None:
    table = MeterTable("l3conf-test")
    peers = [Meter(peer=name, prefixes=frozenset({ip_network(f"10.{i}.0.0/16")})) for i, name in enumerate("ab")]
    both = Meters(table="l3conf-test", devices=frozenset({"lo"}), meters=frozenset(peers))
    table.load(both)
    gone = counter_name("a", Flow.SENT)
    shell("nft add map inet l3conf-test rest '{ type ipv4_addr : counter; }'")
    shell(f"nft add element inet l3conf-test rest '{{ 10.0.0.1 : \"{gone}\" }}'")
    one = replace(both, meters=frozenset(peers[1:]))
    table.load(one)
    assert table.mark() == mark(one)
    assert gone not in table.counts()
