"""Peers that are heard from by the way that was left are told again, and nobody is called back to a dead way."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from reference_impl.names import WIREGUARD_DEVICE
from reference_impl.operations import Operation, Verb
from reference_impl.planner.diff import diff
from reference_impl.planner.strays import Strays, called_back
from reference_impl.protocols.objects import Way
from reference_impl.state import KernelState, Observed, WireGuardPeer
from reference_impl.tests.planner.facts import endpoint

PRIVATE, PUBLIC = ip_address("172.16.2.10"), ip_address("192.0.2.10")
OURS = endpoint(2, public_ip=PUBLIC, way=Way(address=PRIVATE, port=4500, reason="PrivateAddress", message=""))
NAME = OURS.cluster_id
HAIRPIN = replace(OURS, way=Way(address=PUBLIC, port=4501, reason="Learnt", message=""))


def test_a_stray_is_called_back_once_for_every_new_answer_of_the_way_that_was_found() -> None:
    strays = Strays()
    assert strays.due([OURS], [HAIRPIN], {NAME: 9.0}, 10.0) == frozenset()
    assert strays.due([OURS], [HAIRPIN], {NAME: 9.0}, 12.0) == frozenset()
    assert strays.due([OURS], [HAIRPIN], {NAME: 13.0}, 14.0) == {NAME}
    assert strays.due([OURS], [HAIRPIN], {NAME: 13.0}, 16.0) == frozenset()
    assert strays.due([OURS], [HAIRPIN], {NAME: 18.0}, 18.5) == {NAME}


def test_who_came_back_and_strays_again_waits_for_the_next_answer() -> None:
    strays = Strays()
    assert strays.due([OURS], [HAIRPIN], {}, 10.0) == frozenset()
    assert strays.due([OURS], [OURS], {NAME: 11.0}, 12.0) == frozenset()
    assert strays.due([OURS], [HAIRPIN], {NAME: 11.0}, 14.0) == frozenset()


def test_nobody_strays_who_is_at_an_address_that_is_not_known_or_was_found_at_the_public_one() -> None:
    strays = Strays()
    rebound = replace(OURS, way=Way(address=ip_address("192.0.2.77"), port=60000, reason="Learnt", message=""))
    public = endpoint(2, public_ip=PUBLIC, way=Way(address=PUBLIC, port=4500, reason="PublicAddress", message=""))
    for now in (10.0, 20.0):
        assert strays.due([OURS], [rebound], {NAME: now - 1}, now) == frozenset()
        assert strays.due([public], [HAIRPIN], {NAME: now - 1}, now) == frozenset()
        assert strays.due([endpoint(3)], [endpoint(3)], {}, now) == frozenset()


def test_what_is_called_back_is_set_again_and_nothing_else_is() -> None:
    def peer(key: str) -> WireGuardPeer:
        return WireGuardPeer(
            device=WIREGUARD_DEVICE, public_key=key, allowed=frozenset(), endpoint=(PRIVATE, 4500), keepalive=10
        )

    seen = Observed(
        state=KernelState(peers=frozenset([peer("a"), peer("b")])),
        roaming=frozenset(["a", "b"]),
        located=frozenset([("a", PUBLIC, 4501), ("b", PUBLIC, 4502)]),
    )
    assert diff(seen.state, seen) == ()
    assert called_back(seen, frozenset()) is seen
    assert diff(seen.state, called_back(seen, frozenset(["a"]))) == (Operation(Verb.SET, peer("a")),)
