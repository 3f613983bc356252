"""Whatever is not as it should be is named, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from l3conf.soak.changes import Change, Kind, State, applied
from l3conf.soak.invariants import violations
from l3conf.tests.soak.members import TOPOLOGY, FakeMembers

if TYPE_CHECKING:
    from l3conf.bench.members import MemberSet

WHOLE = State(topology=TOPOLOGY, members=frozenset(cluster.name for cluster in TOPOLOGY.clusters))
APART = applied(Change(kind=Kind.ISOLATE, cluster="east", other="west"), WHOLE)
LEFT = applied(Change(kind=Kind.LEAVE, cluster="north"), WHOLE)


def seen(members: FakeMembers, state: State) -> list[str]:
    return violations(cast("MemberSet", members), state)


def test_a_set_that_is_whole_violates_nothing() -> None:
    for state in (WHOLE, APART, LEFT):
        assert seen(FakeMembers(state), state) == []


def test_a_lost_pair_is_named() -> None:
    members = FakeMembers(WHOLE)
    one, other = members.pods("east")[0], members.pods("north")[1]
    members.lab.reach.remove((one.place, str(other.address)))
    assert seen(members, WHOLE) == [f"{one.place} does not reach {other.place}"]


def test_what_must_not_arrive_and_does_is_named() -> None:
    found = seen(FakeMembers(WHOLE), APART)
    assert "east/l3conf-probes/probe-east-3 reaches west/l3conf-probes/probe-west-3" in found
    assert "east says connected of west" in found


def test_silence_of_a_dead_receiver_proves_nothing() -> None:
    members = FakeMembers(LEFT)
    dead = members.pods("north")[-1]
    members.lab.reach = {(place, address) for place, address in members.lab.reach if address != str(dead.address)}
    assert seen(members, LEFT) == [f"{members.pods('north')[0].place} does not reach {dead.place}"]


def test_status_must_say_what_packets_find() -> None:
    members = FakeMembers(WHOLE)
    gateway = members.apis["east"].collections["gateways"][0]
    gateway["status"]["connections"][0]["status"] = "error"
    assert seen(members, WHOLE) == ["east says error of north"]
    second = {"metadata": {"name": "east-2"}, "status": {"haStatus": "active", "connections": []}}
    members.become(WHOLE)
    members.apis["east"].collections["gateways"].append(second)
    assert seen(members, WHOLE) == ["east has 2 active gateways"]


def test_what_a_departed_member_left_at_the_broker_is_named() -> None:
    members = FakeMembers(LEFT)
    members.broker.collections["endpoints"].append({"spec": {"cluster_id": "north"}})
    assert seen(members, LEFT) == ["the broker has endpoints of east, north, west"]


def test_copies_for_members_are_nothing_left_over_and_two_in_one_namespace_are() -> None:
    members = FakeMembers(WHOLE)
    copies = [{"metadata": {"namespace": "of-west"}, "spec": {"cluster_id": name}} for name in ("east", "west")]
    members.broker.collections["clusters"] += copies
    assert seen(members, WHOLE) == []
    members.broker.collections["clusters"].append(copies[0])
    assert seen(members, WHOLE) == ["of-west at the broker has clusters of east more than once"]
