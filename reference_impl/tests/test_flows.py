from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from reference_impl.flows import Bindings, Flow, Suspects, is_stale, suspects

POD, OTHER, PEER = ip_address("10.1.0.2"), ip_address("10.1.0.3"), ip_address("100.65.0.9")
OWN, SHARED, FREE = ip_address("100.64.0.5"), ip_address("100.64.0.2"), ip_address("100.64.0.77")
SERVICE = ip_address("100.64.0.6")
BOUND = Bindings(
    pool=ip_network("100.64.0.0/24"),
    remote=frozenset({ip_network("100.65.0.0/24")}),
    held=frozenset({OWN, SHARED, SERVICE}),
    callers={POD: frozenset({OWN})},
    others=frozenset({SHARED}),
    targets={OWN: frozenset({POD}), SERVICE: frozenset({POD, OTHER})},
)


def call(source: object, known_as: object, *, lasting: bool) -> Flow:
    return Flow(lasting=lasting, source=source, destination=PEER, known_as=known_as, answers_from=PEER)  # type: ignore[arg-type]


def visit(destination: object, answers_from: object, *, lasting: bool) -> Flow:
    return Flow(lasting=lasting, source=PEER, destination=destination, known_as=PEER, answers_from=answers_from)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flow", "datagrams", "connections"),
    [
        (call(POD, OWN, lasting=False), False, False),
        (call(POD, SHARED, lasting=False), True, False),
        (call(POD, FREE, lasting=False), True, True),
        (call(OTHER, SHARED, lasting=False), False, False),
        (call(OTHER, OWN, lasting=False), True, False),
        (call(OTHER, FREE, lasting=False), True, True),
        (call(POD, POD, lasting=False), True, True),
        (visit(OWN, POD, lasting=False), False, False),
        (visit(OWN, OTHER, lasting=False), True, False),
        (visit(SERVICE, OTHER, lasting=False), False, False),
        (visit(FREE, POD, lasting=False), True, True),
        (visit(SHARED, POD, lasting=False), True, False),
        (visit(OWN, OWN, lasting=False), True, True),
        (visit(FREE, FREE, lasting=False), False, False),
    ],
)
def test_datagrams_end_with_what_they_go_as_and_connections_with_the_address(
    flow: Flow,
    datagrams: bool,  # noqa: FBT001 - a column of the table
    connections: bool,  # noqa: FBT001 - likewise
) -> None:
    assert is_stale(flow, BOUND) is datagrams
    assert is_stale(replace(flow, lasting=True), BOUND) is connections


@pytest.mark.parametrize(
    "flow",
    [
        Flow(lasting=False, source=POD, destination=OTHER, known_as=POD, answers_from=OTHER),
        Flow(lasting=False, source=POD, destination=ip_address("10.101.0.1"), known_as=POD, answers_from=OTHER),
        Flow(
            lasting=False,
            source=POD,
            destination=ip_address("192.0.2.1"),
            known_as=ip_address("172.16.1.10"),
            answers_from=ip_address("192.0.2.1"),
        ),
        Flow(lasting=False, source=PEER, destination=PEER + 1, known_as=PEER, answers_from=PEER + 1),
        Flow(
            lasting=True,
            source=ip_address("fd10::2"),
            destination=ip_address("fd20::2"),
            known_as=ip_address("fd10::2"),
            answers_from=ip_address("fd20::2"),
        ),
    ],
    ids=["in the cluster", "to a Service here", "to the world", "between members", "of another IP version"],
)
def test_flows_that_are_nothing_to_global_addresses_are_left_alone(flow: Flow) -> None:
    assert not is_stale(flow, BOUND)
    assert not is_stale(replace(flow, lasting=True), BOUND)


def test_a_call_under_what_is_nobodys_pool_is_left_alone() -> None:
    masqueraded = call(POD, ip_address("172.16.1.10"), lasting=False)
    assert not is_stale(masqueraded, BOUND)


def test_suspects_are_those_whose_binding_changed_and_all_where_nobody_looked_before() -> None:
    before = BOUND
    assert suspects(None, before) is None
    assert suspects(before, before) == Suspects(sources=frozenset(), destinations=frozenset())
    address = next(iter(before.targets))
    moved = replace(before, targets={**before.targets, address: frozenset()})
    assert suspects(before, moved) == Suspects(sources=frozenset(), destinations=frozenset({address}))
    assert suspects(before, replace(before, others=frozenset())) is None
    late = ip_network("100.66.0.0/24")
    grown = replace(before, remote=before.remote | {late})
    assert suspects(before, grown) == Suspects(sources=frozenset(), destinations=frozenset(), remote=frozenset({late}))
    assert suspects(grown, before) == Suspects(sources=frozenset(), destinations=frozenset())
