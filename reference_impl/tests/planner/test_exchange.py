from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import CLUSTER_ID_LABEL, CREATED, ORIGIN_LABEL, PAIR_POLICY
from reference_impl.planner.exchange import (
    ExchangeFacts,
    Side,
    Write,
    WriteVerb,
    forgeries,
    make_before_break,
    plan_exchange,
    without,
)
from reference_impl.protocols.policy import ISOLATED, Decision

Objects = dict[str, dict[str, Any]]


def own(name: str, **spec: object) -> dict[str, Any]:
    return _object(name, {}, {"cluster_id": "east", **spec})


def stamped(name: str, owner: str, cluster_id: str | None = None, **spec: object) -> dict[str, Any]:
    labels = {CLUSTER_ID_LABEL: owner, ORIGIN_LABEL: "ns"}
    return _object(name, labels, {"cluster_id": cluster_id or owner, **spec})


def _object(name: str, labels: dict[str, str], spec: dict[str, object]) -> dict[str, Any]:
    return {
        "apiVersion": "submariner.io/v1",
        "kind": "Endpoint",
        "metadata": {"name": name, "namespace": "ns", "labels": labels, "resourceVersion": "1"},
        "spec": spec,
    }


def _exchange(
    member: Objects, broker: Objects, own_id: str = "east", decisions: dict[str, Decision] | None = None
) -> tuple[Write, ...]:
    return plan_exchange(
        ExchangeFacts(
            own_id=own_id,
            member_namespace="ns",
            broker_namespace="ns",
            member=tuple(member.values()),
            broker=tuple(broker.values()),
            decisions=decisions or {},
        )
    )


def _carry_out(member: Objects, broker: Objects, writes: tuple[Write, ...]) -> None:
    for write in writes:
        side = broker if write.side is Side.BROKER else member
        name = write.obj["metadata"]["name"]
        if write.verb is WriteVerb.DELETE:
            del side[name]
        else:
            side[name] = copy.deepcopy(write.obj)


specs = st.integers(0, 2)
member_objects = st.dictionaries(st.sampled_from(["a", "b"]), specs).map(
    lambda drawn: {name: own(name, value=value) for name, value in drawn.items()}
)
broker_objects = st.dictionaries(
    st.tuples(st.sampled_from(["c", "d", "a"]), st.sampled_from(["east", "west", "south"])), specs
).map(
    lambda drawn: {f"{owner}-{name}": stamped(f"{owner}-{name}", owner, value=v) for (name, owner), v in drawn.items()}
)


@given(member_objects, broker_objects, broker_objects)
def test_one_exchange_makes_both_sides_agree(member: Objects, stale: Objects, broker: Objects) -> None:
    member = {**member, **{name: obj for name, obj in stale.items() if obj["spec"]["cluster_id"] != "east"}}
    _carry_out(member, broker, _exchange(member, broker))
    assert _exchange(member, broker) == ()
    foreign = {name for name, obj in member.items() if obj["metadata"]["labels"].get(CLUSTER_ID_LABEL)}
    assert foreign == {name for name, obj in broker.items() if obj["spec"]["cluster_id"] != "east"}


@given(broker_objects)
def test_a_member_never_writes_what_is_not_its_own(broker: Objects) -> None:
    for write in _exchange({}, broker):
        if write.side is Side.BROKER:
            assert write.obj["metadata"]["labels"][CLUSTER_ID_LABEL] == "east"


def test_own_objects_go_up_with_their_origin() -> None:
    (write,) = _exchange({"a": own("a")}, {})
    assert (write.side, write.verb) == (Side.BROKER, WriteVerb.CREATE)
    assert write.obj["metadata"]["labels"] == {CLUSTER_ID_LABEL: "east", ORIGIN_LABEL: "ns"}


def test_an_object_that_speaks_for_somebody_else_is_not_delivered() -> None:
    assert _exchange({}, {"x": stamped("x", "west", cluster_id="south")}) == ()
    assert _exchange({}, {"x": stamped("x", "west", cluster_id="east")}) == ()


def test_fields_that_are_not_known_here_pass_through() -> None:
    (write,) = _exchange({}, {"x": stamped("x", "west", future={"deep": [1]})})
    assert write.obj["spec"]["future"] == {"deep": [1]}


def test_ghosts_go_on_both_sides() -> None:
    writes = _exchange({"w": stamped("w", "west")}, {"e": stamped("e", "east")})
    assert {(write.side, write.verb, write.obj["metadata"]["name"]) for write in writes} == {
        (Side.BROKER, WriteVerb.DELETE, "e"),
        (Side.MEMBER, WriteVerb.DELETE, "w"),
    }


def test_whoever_writes_in_the_name_of_another_is_known_and_nothing_of_it_is_delivered() -> None:
    broker = {"a": stamped("a", "west"), "b": stamped("b", "west", cluster_id="south"), "c": own("c")}
    assert forgeries(broker.values()) == {"west": "it wrote Endpoint b in the name of south"}
    assert [write.obj["metadata"]["name"] for write in _exchange({}, broker) if write.side is Side.MEMBER] == ["a"]


def test_a_copy_tells_when_its_original_came_to_the_broker() -> None:
    original = stamped("west", "west")
    original["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    (write,) = _exchange({}, {"west": original})
    assert write.obj["metadata"]["annotations"] == {CREATED: "2026-01-01T00:00:00Z"}


def test_a_copy_of_an_object_that_came_again_is_younger_though_nothing_else_changed() -> None:
    original = stamped("west", "west")
    original["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    member: Objects = {}
    broker = {"west": original}
    _carry_out(member, broker, _exchange(member, broker))
    assert _exchange(member, broker) == ()
    original["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    (write,) = _exchange(member, broker)
    assert write.verb is WriteVerb.REPLACE
    assert write.obj["metadata"]["annotations"] == {CREATED: "2026-01-02T00:00:00Z"}


def test_of_a_cluster_that_may_not_connect_no_endpoint_comes_and_the_one_that_is_there_goes() -> None:
    apart = {"west": Decision(connects=False, reason=ISOLATED, message="policy p says so")}
    broker = {"w": stamped("w", "west"), "s": stamped("s", "south")}
    member: Objects = {}
    _carry_out(member, broker, _exchange(member, broker))
    assert set(member) == {"w", "s"}
    (write,) = _exchange(member, broker, decisions=apart)
    assert (write.side, write.verb, write.obj["metadata"]["name"]) == (Side.MEMBER, WriteVerb.DELETE, "w")


def test_the_cluster_object_says_why_until_the_pair_may_connect_again() -> None:
    apart = {"west": Decision(connects=False, reason=ISOLATED, message="policy p says so")}
    west = {**stamped("west", "west"), "kind": "Cluster"}
    member: Objects = {}
    _carry_out(member, {"west": west}, _exchange(member, {"west": west}, decisions=apart))
    assert member["west"]["metadata"]["annotations"] == {PAIR_POLICY: "Isolated: policy p says so"}
    assert _exchange(member, {"west": west}, decisions=apart) == ()
    (write,) = _exchange(member, {"west": west})
    assert (write.verb, write.obj["metadata"].get("annotations")) == (WriteVerb.REPLACE, None)


def test_labels_that_the_broker_s_administrator_gave_stay() -> None:
    there = stamped("east", "east")
    there["metadata"]["labels"] |= {"role": "hub"}
    assert _exchange({"east": own("east")}, {"east": there}) == ()
    (write,) = _exchange({"east": own("east", value=1)}, {"east": there})
    assert write.obj["metadata"]["labels"]["role"] == "hub"


def test_what_belongs_to_members_that_are_given_up_is_taken_away_and_comes_back() -> None:
    west, north = stamped("w", "west"), stamped("n", "north")
    left = without(frozenset({"west"}), (west, north))
    assert left == (north,)
    assert without(frozenset(), (west, north)) == (west, north)
    assert [
        (write.verb, write.obj["metadata"]["name"]) for write in _exchange({"w": west, "n": north}, {"n": north})
    ] == [(WriteVerb.DELETE, "w")]


def test_an_endpoint_goes_after_the_one_that_takes_its_place_has_come() -> None:
    """One that has no successor goes at once: whoever is parted must not be seen a moment longer."""
    old, new = stamped("east-1", "east"), stamped("east-2", "east")
    gone = Write(Side.BROKER, WriteVerb.DELETE, stamped("west-1", "west"))
    break_it, make = Write(Side.BROKER, WriteVerb.DELETE, old), Write(Side.BROKER, WriteVerb.CREATE, new)
    assert make_before_break([break_it, gone, make]) == ((gone, make), (break_it,))
    elsewhere = Write(Side.MEMBER, WriteVerb.CREATE, new)
    assert make_before_break([break_it, elsewhere]) == ((break_it, elsewhere), ())
