"""Which of two WireGuard devices a peer's gateways are on, and whose packets are taken there."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.names import PUBLIC_KEY, WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE
from reference_impl.nft_script import render
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.lanes import sessions_of
from reference_impl.planner.relays import Relays
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.state import WireGuardPeer
from reference_impl.tests.planner.facts import NODES, OWN, addresses_of, endpoint
from reference_impl.tests.planner.test_wireguard import key

if TYPE_CHECKING:
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import KernelState

BOTH = frozenset({WIREGUARD_DEVICE, WIREGUARD_SECOND_DEVICE})
DRIVERS = DriverSet((WireGuardCables(key(1)),))


def gateway(number: int, host: int, **changes: object) -> Endpoint:
    """Return a gateway of member ``c<number>`` whose key and address end with ``host``."""
    values = {"private_ip": ip_address(f"172.16.{number}.{host}"), "hostname": f"c{number}-{host}"} | changes
    parameters = frozenset({(PUBLIC_KEY, key(host))})
    return endpoint(number, backend="wireguard", parameters=parameters, **values)


def led(active: Endpoint, *standbys: Endpoint) -> Endpoint:
    return replace(active, standbys=standbys)


def node(devices: frozenset[str] = BOTH) -> FakeKernel:
    kernel = FakeKernel()
    kernel.wireguard_devices = devices
    return kernel


def told(kernel: FakeKernel, *peers: Endpoint, relays: Relays | None = None) -> KernelState:
    """Have a gateway's agent make one step; every peer answers afterwards."""
    observed = kernel.observe()
    facts = GatewayFacts(
        own=OWN,
        underlay=NODES[0].underlay,
        peers=peers,
        addresses=addresses_of(0),
        sessions=sessions_of(observed),
        relays=relays or Relays(),
    )
    plan = plan_cables(facts, DRIVERS)
    assert kernel.apply(diff(plan, observed)) == ()
    kernel.heard_from |= {peer.public_key for peer in plan.peers}
    return plan


def lanes(plan: KernelState) -> dict[str, tuple[str, bool]]:
    """Return device and trust by key."""
    return {peer.public_key: (peer.device, bool(peer.allowed)) for peer in plan.peers}


def devices(plan: KernelState) -> set[str]:
    """Return where packets for peers go."""
    return {route.device for route in plan.routes if route.device}


def test_packets_of_both_gateways_are_taken_before_during_and_after_a_move() -> None:
    kernel, old, new = node(), gateway(2, 10), gateway(2, 11)
    first = told(kernel, led(old, new))
    assert lanes(first) == {key(10): (WIREGUARD_DEVICE, True), key(11): (WIREGUARD_SECOND_DEVICE, True)}
    assert devices(first) == {WIREGUARD_DEVICE}
    moved = told(kernel, led(new, old))
    assert lanes(moved) == lanes(first)
    assert devices(moved) == {WIREGUARD_SECOND_DEVICE}
    alone = told(kernel, new)
    assert lanes(alone) == {key(11): (WIREGUARD_SECOND_DEVICE, True)}
    back = told(kernel, led(new, old))
    assert lanes(back) == lanes(first)
    assert devices(told(kernel, led(old, new))) == {WIREGUARD_DEVICE}


def test_a_move_sets_no_peer_again() -> None:
    kernel, old, new = node(), gateway(2, 10), gateway(2, 11)
    told(kernel, led(old, new))
    kernel.history.clear()
    told(kernel, led(new, old))
    assert not [step for step in kernel.history if isinstance(step.item, WireGuardPeer)]


def test_of_several_that_stand_by_the_one_just_relieved_is_trusted() -> None:
    kernel, old, new, third = node(), gateway(2, 10), gateway(2, 11), gateway(2, 9)
    told(kernel, led(old, new))
    moved = lanes(told(kernel, led(new, third, old)))
    assert moved[key(10)] == (WIREGUARD_DEVICE, True)
    assert moved[key(9)] == (WIREGUARD_DEVICE, False)
    assert lanes(told(kernel, led(new, third)))[key(9)] == (WIREGUARD_DEVICE, True)


def test_without_a_second_device_there_is_one_lane_and_the_active_gateway_has_it() -> None:
    plan = told(node(frozenset({WIREGUARD_DEVICE})), led(gateway(2, 10), gateway(2, 11)))
    assert lanes(plan) == {key(10): (WIREGUARD_DEVICE, True), key(11): (WIREGUARD_DEVICE, False)}
    assert {link.name for link in plan.links} == {WIREGUARD_DEVICE}


def test_a_gateway_that_never_answered_on_the_second_device_is_called_on_the_first() -> None:
    kernel, old, new = node(), gateway(2, 10), gateway(2, 11)
    told(kernel, led(old, new))
    kernel.heard_from.discard(key(11))
    assert lanes(told(kernel, led(new, old)))[key(11)] == (WIREGUARD_DEVICE, True)


def test_gateways_behind_one_address_cannot_be_told_apart_and_share_the_first_device() -> None:
    shared = ip_address("203.0.113.7")
    standby = gateway(2, 11, public_ip=shared)
    assert lanes(told(node(), led(gateway(2, 10, public_ip=shared), standby)))[key(11)] == (WIREGUARD_DEVICE, False)
    plan = told(node(), led(gateway(2, 10), standby), gateway(3, 12, public_ip=shared))
    assert lanes(plan)[key(11)] == (WIREGUARD_DEVICE, False)


def test_packets_are_led_to_the_second_device_by_address_and_leave_with_the_first_one_s_port() -> None:
    plan = told(node(), led(gateway(2, 10), gateway(2, 11)))
    assert plan.ruleset is not None
    text = render(plan.ruleset)
    arriving = "udp dport 4500 ip saddr { 172.16.2.11 } ip daddr 172.16.1.10 udp dport set 4503"
    sent = "udp sport 4503 ip daddr { 172.16.2.11 } ip saddr 172.16.1.10 udp sport set 4500"
    assert f"diverted-in {arriving}" in text
    assert f"diverted-out {sent}" in text
    alone = told(node(), gateway(2, 10)).ruleset
    assert alone is not None
    assert "diverted" not in render(alone)


def test_what_a_relay_brings_goes_to_the_relay_s_lane() -> None:
    kernel, old, new, behind = node(), gateway(2, 10), gateway(2, 11), gateway(3, 12)
    relays = Relays(via={"c3": "c2"})
    told(kernel, led(old, new), behind, relays=relays)
    plan = told(kernel, led(new, old), behind, relays=relays)
    assert devices(plan) == {WIREGUARD_SECOND_DEVICE}
    allowed = {peer.public_key: peer.allowed for peer in plan.peers}
    assert allowed[key(10)] == allowed[key(11)] == frozenset((*old.subnets, *behind.subnets))
    assert allowed[key(12)] == frozenset()


@given(st.lists(st.tuples(st.sampled_from([10, 11, 12]), st.booleans()), min_size=1, max_size=8))
def test_on_each_device_a_prefix_has_one_owner_and_routes_lead_to_the_active_gateway(
    moves: list[tuple[int, bool]],
) -> None:
    kernel = node()
    for active, answers in moves:
        others = [gateway(2, host) for host in (10, 11, 12) if host != active]
        plan = told(kernel, led(gateway(2, active), *others), gateway(3, 13))
        for device in BOTH:
            allowed = [prefix for peer in plan.peers if peer.device == device for prefix in peer.allowed]
            assert len(allowed) == len(set(allowed))
        owners = {(route.destination, route.device) for route in plan.routes if route.device}
        for number, host in ((2, active), (3, 13)):
            (peer,) = [each for each in plan.peers if each.public_key == key(host)]
            assert {(subnet, peer.device) for subnet in gateway(number, host).subnets} <= owners
            assert set(gateway(number, host).subnets) <= peer.allowed
        if not answers:
            kernel.heard_from.clear()
