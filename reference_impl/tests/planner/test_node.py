from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import CABLE_DEVICE, FLOOR_METRIC, NODE_DEVICE
from reference_impl.nft_script import MARK, digest, render, render_change
from reference_impl.planner.node import plan_node
from reference_impl.state import Direction, Guard, HostAddress, InterfaceAddress, KernelState, RouteKind, Side
from reference_impl.tests.planner.facts import NODES, REMOTE, REMOTE_V6, node_facts, prefixes


def test_nothing_is_planned_without_other_members() -> None:
    assert plan_node(node_facts(known=(), reachable=())) == KernelState()


def test_a_worker_routes_to_the_gateway_from_its_pod_address() -> None:
    routes = {route for route in plan_node(node_facts()).routes if route.kind is RouteKind.UNICAST}
    assert {route.destination for route in routes} == set(REMOTE)
    assert {(route.via, route.device, str(route.source)) for route in routes} == {
        (NODES[0].underlay, NODE_DEVICE, "10.1.1.1")
    }


def test_the_gateway_routes_to_the_pods_of_the_other_nodes() -> None:
    routes = {route for route in plan_node(node_facts(0)).routes if route.kind is RouteKind.UNICAST}
    assert {(route.destination, route.via) for route in routes} == {
        (node.pod_ranges[0], node.underlay) for node in NODES[1:]
    }


@given(st.lists(prefixes, max_size=6, unique=True), st.sampled_from([None, NODES[0].underlay, NODES[1].underlay]))
def test_no_prefix_of_a_member_can_leak_and_local_traffic_is_never_asked(known: list, gateway: object) -> None:  # type: ignore[type-arg]
    plan = plan_node(node_facts(known=tuple(known), reachable=tuple(known), gateway=gateway))
    floors = {route.destination for route in plan.routes if route.kind is RouteKind.UNREACHABLE}
    assert floors == set(known)
    assert {(rule.direction, rule.prefix) for rule in plan.rules} == {(way, p) for way in Direction for p in known}


@given(st.permutations(REMOTE), st.permutations(NODES[1:]))
def test_the_plan_does_not_depend_on_order(known: list, others: list) -> None:  # type: ignore[type-arg]
    plan = plan_node(node_facts(0, known=tuple(known), reachable=tuple(known), others=tuple(others)))
    same = plan_node(node_facts(0))
    assert plan.routes == same.routes
    assert plan.ruleset is not None
    assert same.ruleset is not None
    assert digest(plan.ruleset) == digest(same.ruleset)


def test_unreachable_is_the_last_choice() -> None:
    routes = plan_node(node_facts()).routes
    assert {route.metric for route in routes if route.kind is RouteKind.UNREACHABLE} == {FLOOR_METRIC}
    assert all(route.metric < FLOOR_METRIC for route in routes if route.kind is RouteKind.UNICAST)


def test_every_node_talks_to_the_gateway_only() -> None:
    worker, gateway = plan_node(node_facts(1)), plan_node(node_facts(0))
    assert {entry.destination for entry in worker.forwarding} == {NODES[0].underlay}
    assert {entry.destination for entry in gateway.forwarding} == {node.underlay for node in NODES[1:]}


def test_tunnel_mtu_leaves_room_for_the_outer_headers() -> None:
    assert {link.mtu for link in plan_node(node_facts()).links} == {1450}


def test_the_script_replaces_the_table_in_one_transaction() -> None:
    ruleset = plan_node(node_facts(known=(ip_network("10.2.0.0/16"),))).ruleset
    assert ruleset is not None
    lines = render(ruleset).splitlines()
    assert lines[:3] == ["table inet submariner { }", "delete table inet submariner", "add table inet submariner"]


def test_sets_are_there_before_rules_look_into_them_and_old_ones_go_with_their_rules() -> None:
    one, other = (plan_node(node_facts(known=(ip_network(text),))).ruleset for text in ("10.2.0.0/16", "10.3.0.0/16"))
    assert one is not None
    assert other is not None
    first = render_change(one, chains=(), sets=())
    sets = [line.split()[4] for line in first[0].splitlines() if line.startswith("add set")]
    chains = [*(chain.name for chain in one.chains), f"{MARK}{digest(one)}"]
    (again,) = render_change(one, chains=chains, sets=sets)
    assert "set inet" not in again
    fill, switch = render_change(other, chains=chains, sets=sets)
    (fresh,) = (line.split()[4] for line in fill.splitlines() if line.startswith("add set"))
    assert fresh.startswith("remote_v4-")
    assert f"@{fresh}" in switch
    gone = [line.split()[-1] for line in switch.splitlines() if line.startswith("delete")]
    assert gone == [next(name for name in sets if name.startswith("remote_v4-")), f"{MARK}{digest(one)}"]
    assert not any(f"@{name}" in switch for name in gone)


def test_a_node_that_its_plugin_gave_no_address_among_pods_takes_the_one_that_no_pod_gets() -> None:
    taken = ip_address("10.1.1.0")
    bare = plan_node(node_facts(addresses=()))
    assert bare.host_addresses == {HostAddress(device=NODE_DEVICE, address=taken)}
    assert {route.source for route in bare.routes if route.kind is RouteKind.UNICAST} == {taken}
    own = InterfaceAddress(device=NODE_DEVICE, address=taken, mtu=1450)
    assert plan_node(node_facts(addresses=(own,))) == bare
    assert plan_node(node_facts()).host_addresses == frozenset()


def test_a_node_without_any_range_of_pods_still_forwards() -> None:
    plan = plan_node(node_facts(addresses=(), node=replace(NODES[1], pod_ranges=())))
    assert {route.source for route in plan.routes if route.kind is RouteKind.UNICAST} == {None}
    assert ip_address("172.16.1.10") in {route.via for route in plan.routes}


def test_tunnels_pass_the_firewalls_that_see_their_packets_on_whatever_node() -> None:
    four, six = (Guard(family=family, table="filter", chain="FORWARD") for family in ("ip", "ip6"))
    passages = plan_node(node_facts(guards=(four, six))).passages
    assert {(one.guard, one.device) for one in passages} == {(four, NODE_DEVICE)}
    assert {one.side for one in passages} == set(Side)
    at_gateway = plan_node(node_facts(0, guards=(six,), known=REMOTE_V6)).passages
    assert {(one.guard, one.device) for one in at_gateway} == {(six, NODE_DEVICE), (six, CABLE_DEVICE)}


def test_a_gateway_among_its_own_pods_is_believed_at_nodes_and_nowhere_else() -> None:
    known = (ip_network("10.2.0.0/16"),)
    outer = (ip_address("10.2.255.10"), ip_address("172.16.3.10"))
    ruleset = plan_node(node_facts(0, known=known, outer=outer)).ruleset
    assert ruleset is not None
    spoofed = next(chain for chain in ruleset.chains if chain.name == "spoofed")
    assert spoofed.rules[0] == "ip saddr @outer_v4 ip daddr @nodes_v4 counter accept"
    assert next(each for each in ruleset.sets if each.name == "outer_v4").prefixes == {ip_network("10.2.255.10/32")}
    apart = plan_node(node_facts(0, known=known, outer=outer[1:])).ruleset
    assert apart == plan_node(node_facts(0, known=known)).ruleset
