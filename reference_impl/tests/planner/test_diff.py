from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.drivers.fake_kernel import FakeKernel
from reference_impl.names import NODE_DEVICE
from reference_impl.operations import Verb
from reference_impl.planner.diff import diff
from reference_impl.planner.node import plan_node
from reference_impl.state import KernelState, Link, Route, Ruleset
from reference_impl.tests.planner.facts import NODES, node_facts, prefixes

plans = st.builds(
    lambda known, gateway, index: plan_node(
        node_facts(index, known=tuple(known), reachable=tuple(known[:2]), gateway=gateway)
    ),
    st.lists(prefixes, max_size=4, unique=True),
    st.sampled_from([None, NODES[0].underlay, NODES[1].underlay]),
    st.sampled_from([0, 1]),
)


def _converge(kernel: FakeKernel, plan: KernelState) -> None:
    assert kernel.apply(diff(plan, kernel.observe())) == ()


@given(st.lists(plans, min_size=1, max_size=5))
def test_any_history_of_plans_ends_in_the_last_one(history: list[KernelState]) -> None:
    kernel = FakeKernel()
    for plan in history:
        _converge(kernel, plan)
    assert diff(history[-1], kernel.observe()) == ()
    seen = kernel.observe().state
    assert replace(seen, ruleset=None) == replace(history[-1], ruleset=None)


@given(plans)
def test_cleaning_leaves_nothing(plan: KernelState) -> None:
    kernel = FakeKernel()
    _converge(kernel, plan)
    _converge(kernel, KernelState())
    assert kernel.observe().state == KernelState()


def test_a_route_that_changes_is_never_missing() -> None:
    kernel = FakeKernel()
    _converge(kernel, plan_node(node_facts(1)))
    moved = diff(plan_node(node_facts(1, gateway=NODES[2].underlay)), kernel.observe())
    assert not [step for step in moved if step.verb is Verb.REMOVE and isinstance(step.item, Route)]
    first_route = next(i for i, step in enumerate(moved) if isinstance(step.item, Route))
    assert all(step.verb is Verb.SET for step in moved[:first_route])


def test_a_device_with_another_underlay_is_made_anew_with_all_that_stands_on_it() -> None:
    kernel = FakeKernel()
    plan = plan_node(node_facts(1))
    _converge(kernel, plan)
    (link,) = plan.links
    assert isinstance(link, Link)
    moved = replace(plan, links=frozenset([replace(link, local=ip_address("172.16.1.99"))]))
    _converge(kernel, moved)
    assert kernel.observe().state.links == moved.links
    assert kernel.observe().state.routes == plan.routes


def test_a_device_whose_mtu_changed_is_not_taken_away() -> None:
    kernel = FakeKernel()
    plan = plan_node(node_facts(1))
    _converge(kernel, plan)
    (link,) = plan.links
    steps = diff(replace(plan, links=frozenset([replace(link, mtu=1400)])), kernel.observe())
    assert [(step.verb, type(step.item)) for step in steps] == [(Verb.SET, Link)]


def test_filters_stand_before_packets_are_led_to_new_routes() -> None:
    steps = diff(plan_node(node_facts(1)), FakeKernel().observe())
    kinds = [type(step.item).__name__ for step in steps]
    assert kinds.index("Ruleset") < kinds.index("Route") < kinds.index("Rule")


def test_a_tampered_ruleset_is_loaded_again() -> None:
    kernel = FakeKernel()
    plan = plan_node(node_facts(1))
    _converge(kernel, plan)
    (step,) = diff(plan, replace(kernel.observe(), ruleset_digest=""))
    assert isinstance(step.item, Ruleset)


def test_devices_of_others_do_not_appear_in_our_plans() -> None:
    assert {link.name for link in plan_node(node_facts(1)).links} == {NODE_DEVICE}
