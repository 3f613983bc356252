"""The planned rules in a real kernel: plugin and proxy masquerade, rp_filter is strict."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reference_impl.agents import gateway, route_agent
from reference_impl.drivers.conntrack_table import ConntrackTable
from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.mutants.registry import MUTANTS
from reference_impl.names import CABLE_PORT
from reference_impl.planner.diff import diff
from reference_impl.tests.kernel.cluster_set import (
    build,
    configuration,
    connect,
    converge,
    disconnect,
    observe,
    plan_of_node,
)
from reference_impl.tests.kernel.sandbox import Host, ask_tcp, ask_udp, sandboxed

if TYPE_CHECKING:
    from reference_impl.state import KernelState, Observed


@sandboxed
def test_pods_reach_pods_from_every_kind_of_node_and_keep_their_address() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    for here, there in ((east, west), (west, east)):
        for client, pod in enumerate(here.pods):
            for server in range(len(there.pods)):
                target = there.pod_address(server)
                assert pod.run(partial(ask_udp, target)) == here.pod_address(client)
                assert pod.run(partial(ask_tcp, target)) == f"{here.pod_address(client)} 1"


@sandboxed
def test_pods_keep_their_address_through_a_remote_service() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    for client, pod in enumerate(east.pods):
        assert pod.run(lambda: ask_udp(west.service_address)) == east.pod_address(client)


@sandboxed
def test_nodes_reach_remote_pods_under_their_pod_address() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    for index, node in enumerate(east.nodes):
        assert node.run(lambda: ask_udp(west.pod_address(1))) == f"10.1.{index}.1"


@sandboxed
def test_large_messages_arrive_over_tcp_and_udp() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    worker = east.pods[1]
    assert (
        worker.run(lambda: ask_tcp(west.pod_address(1), payload=bytes(1 << 20))) == f"{east.pod_address(1)} {1 << 20}"
    )
    # The first one that fills a packet learns the path MTU from the node; whoever retries gets through.
    for size in (1400, 1472, 1472, 8972):
        worker.run(partial(ask_udp, west.pod_address(1), payload=bytes(size)))
    assert worker.run(lambda: ask_udp(west.pod_address(1), payload=bytes(8972))) == east.pod_address(1)


@sandboxed
def test_a_packet_that_is_too_big_is_told_so_with_the_tunnel_mtu() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    answer = east.pods[1].shell(f"ping -c1 -W1 -Mdo -s1472 {west.pod_address(1)} 2>&1 || true")
    assert "mtu = 1450" in answer


@sandboxed
def test_a_remote_source_outside_the_tunnel_is_dropped() -> None:
    east, west, router = build()
    for node in west.nodes:
        node.shell("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0")
    connect(west, east)
    router.shell(f"ip route del 10.1.1.0/24; ip addr add {east.pod_address(1)}/32 dev wan")

    def datagrams_after_forging() -> int:
        router.run(lambda: ask_udp(west.pod_address(1), seconds=0.2, source=east.pod_address(1)))
        snmp = [line.split() for line in west.pods[1].shell("cat /proc/net/snmp").splitlines() if line[:4] == "Udp:"]
        return int(snmp[1][snmp[0].index("InDatagrams")])

    before = datagrams_after_forging()
    assert datagrams_after_forging() == before
    connect(west, east, change=MUTANTS["clear-packets-accepted"].kernel)
    assert datagrams_after_forging() == before + 1


@sandboxed
def test_a_member_without_a_cable_is_unreachable_rather_than_leaked() -> None:
    east, west, _ = build()
    connect(east, west, change=lambda plan: replace(plan, routes=frozenset(r for r in plan.routes if not r.device)))
    assert "No route to host" in east.pods[1].run(lambda: ask_tcp(west.pod_address(1)))


@sandboxed
def test_local_traffic_is_as_before() -> None:
    east, west, router = build()

    def local() -> list[str]:
        pod = east.pods[0]
        return [
            pod.run(lambda: ask_udp(east.pod_address(1))),
            pod.run(lambda: ask_udp(east.service_address)),
            router.shell("true"),
            pod.shell("ping -c1 -W1 192.0.2.1 >/dev/null && echo outside"),
        ]

    before = local()
    connect(east, west)
    assert local() == before == [east.pod_address(0), east.pod_address(0), "", "outside\n"]


@sandboxed
def test_connection_tracking_sees_what_cables_carry_and_not_their_own_packets() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    here, there = east.node_address(0), west.node_address(0)
    for client, server in ((east, west), (west, east)):
        assert client.pods[0].run(lambda: ask_udp(server.pod_address(0))) == client.pod_address(0)  # noqa: B023
    for gateway_node in (east.nodes[0], west.nodes[0]):
        flows = _flows(gateway_node)
        assert {(east.pod_address(0), west.pod_address(0)), (west.pod_address(0), east.pod_address(0))} <= flows
        assert not {(here, there), (there, here)} & flows
    # The port alone is no cable: what pods send there, and what a node sends to another host's, is tracked as before.
    for sender in (east.pods[0], east.nodes[0]):
        sender.run(lambda: ask_udp("192.0.2.1", CABLE_PORT, seconds=0.1))
    assert {(east.pod_address(0), "192.0.2.1"), (here, "192.0.2.1")} <= _flows(east.nodes[0])


@sandboxed
def test_converging_twice_changes_nothing_and_cleaning_leaves_nothing() -> None:
    east, west, _ = build()
    before = [configuration(node) for node in east.nodes]
    connect(east, west)
    during = [configuration(node) for node in east.nodes]
    connect(east, west)
    assert [configuration(node) for node in east.nodes] == during != before
    disconnect(east)
    assert [configuration(node) for node in east.nodes] == before


@sandboxed
def test_a_flow_that_began_before_the_connection_gets_through_afterwards() -> None:
    east, west, _ = build()
    ask = partial(ask_udp, west.pod_address(1), source_port=5555)
    for pod in east.pods:
        assert pod.run(partial(ask, seconds=0.2)) != east.pod_address(0)
    connect(west, east)
    connect(east, west)
    for index, pod in enumerate(east.pods):
        assert pod.run(ask) == east.pod_address(index)


@sandboxed
def test_the_fake_kernel_ends_where_the_real_one_does() -> None:
    east, west, _ = build()
    fake = FakeKernel()
    connect(east, west)
    for gateway_index in (0, 1):
        real = observe(east.nodes[1], route_agent.OWNERSHIP)
        plan = plan_of_node(east, west, east.as_nodes()[1], real, gateway_index=gateway_index)
        converge(east.nodes[1], route_agent.OWNERSHIP, lambda _, plan=plan: plan)  # type: ignore[misc]
        assert fake.apply(diff(plan, fake.observe())) == ()
        assert fake.observe().state == observe(east.nodes[1], route_agent.OWNERSHIP).state
        assert fake.observe().ruleset_digest == observe(east.nodes[1], route_agent.OWNERSHIP).ruleset_digest


@sandboxed
def test_restarted_agents_find_nothing_to_do() -> None:
    east, west, _ = build()
    connect(east, west)
    for ownership in (route_agent.OWNERSHIP, gateway.OWNERSHIP):

        def same(observed: Observed) -> KernelState:
            return replace(observed.state, ruleset=None, meters=None)

        # The tables, which cannot be read back, are all that differs.
        assert converge(east.nodes[0], ownership, same) == len([*filter(None, (ownership.table, ownership.meters))])


@sandboxed
def test_what_belongs_to_others_is_left_alone() -> None:
    east, west, _ = build()
    node = east.nodes[1]
    node.shell(
        """ip route add 10.9.0.0/16 via 172.16.1.1 table 150 proto 99
        ip rule add to 10.9.0.0/16 lookup 150 priority 150
        nft add table inet other"""
    )
    before = configuration(node)
    connect(east, west)
    disconnect(east)
    assert configuration(node) == before


@sandboxed
def test_mutants_do_in_a_kernel_what_the_catalogue_says() -> None:
    east, west, _ = build()
    connect(east, west)
    connect(west, east)
    pod, target = east.pods[1], west.pod_address(1)

    def with_mutant(name: str) -> None:
        for site, other in ((east, west), (west, east)):
            connect(site, other, change=MUTANTS[name].kernel)

    with_mutant("snat-at-gateway")
    assert pod.run(lambda: ask_udp(target)) == "10.1.0.1"
    with_mutant("snat-for-services")
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(1)
    assert pod.run(lambda: ask_udp(west.service_address)) != east.pod_address(1)
    with_mutant("services-not-routed")
    assert pod.run(lambda: ask_udp(target)) == east.pod_address(1)
    assert "No route to host" in pod.run(lambda: ask_tcp(west.service_address))
    with_mutant("gateway-nodes-only")
    assert "No route to host" in pod.run(lambda: ask_tcp(target))
    assert east.pods[0].run(lambda: ask_udp(west.pod_address(0))) == east.pod_address(0)


def _flows(node: Host) -> set[tuple[str, str]]:
    """Return who began flows to whom, as a node tracks them."""

    def inside() -> str:
        with ConntrackTable(4) as table:
            return " ".join(f"{each.flow.source},{each.flow.destination}" for each in table.entries())

    pairs = (each.split(",") for each in node.run(inside).split())
    return {(source, destination) for source, destination in pairs}
