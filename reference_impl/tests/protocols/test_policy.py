from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import CLUSTER_ID_LABEL
from reference_impl.planner.connections import decide_all
from reference_impl.protocols.object_codec import MalformedObjectError
from reference_impl.protocols.policy import (
    CONFLICTED,
    ISOLATED,
    Action,
    Decision,
    Member,
    Policy,
    decide,
    decide_each,
    member_of,
    parse_policy,
)
from reference_impl.protocols.selectors import Operator, Requirement, Selector

KEYS, VALUES = ("role", "zone"), ("a", "b", "c")


def selecting(**labels: str) -> Selector:
    return Selector(tuple(Requirement(key, Operator.IN, frozenset({value})) for key, value in labels.items()))


def policy(name: str, left: Selector, right: Selector, action: Action = Action.CONNECT, driver: str = "") -> Policy:
    return Policy(name=name, left=left, right=right, action=action, cable_driver=driver)


def member(cluster_id: str, *colors: str, **labels: str) -> Member:
    return Member(cluster_id, {CLUSTER_ID_LABEL: cluster_id, **labels}, frozenset(colors))


requirements = st.builds(
    Requirement, st.sampled_from(KEYS), st.sampled_from(Operator), st.frozensets(st.sampled_from(VALUES), min_size=1)
)
selectors = st.builds(Selector, st.lists(requirements, max_size=2).map(tuple))
policies = st.lists(
    st.builds(
        Policy,
        name=st.sampled_from("pqrst"),
        left=selectors,
        right=selectors,
        action=st.sampled_from(Action),
        cable_driver=st.sampled_from(["", "vxlan"]),
    ),
    max_size=5,
)
members = st.builds(
    Member,
    cluster_id=st.sampled_from(["east", "west"]),
    labels=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)),
    colors=st.frozensets(st.sampled_from(["blue", "red"])),
)


@given(policies, members, members, st.randoms())
def test_both_ends_decide_alike_whatever_order_they_hear_of_policies_in(
    listed: list[Policy], one: Member, other: Member, random: object
) -> None:
    shuffled = list(listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' random.Random
    here, there = decide(listed, one, other), decide(shuffled, other, one)
    assert (here.connects, here.reason, here.cable_driver) == (there.connects, there.reason, there.cable_driver)


@given(policies, members, members)
def test_a_pair_connects_only_if_somebody_says_so_or_nobody_says_anything(
    listed: list[Policy], one: Member, other: Member
) -> None:
    decision = decide(listed, one, other)
    assert bool(decision.reason) is not decision.connects
    if listed and decision.connects:
        assert any(each.action is Action.CONNECT and each.matches(one.labels, other.labels) for each in listed)


def test_without_policies_everybody_connects_but_clusters_of_different_colours() -> None:
    assert decide([], member("east"), member("west")).connects
    assert decide([], member("east", "blue"), member("west")).connects
    assert decide([], member("east", "blue", "red"), member("west", "red")).connects
    apart = decide([], member("east", "blue"), member("west", "red"))
    assert (apart.connects, apart.reason) == (False, ISOLATED)


def test_one_policy_isolates_every_pair_that_it_does_not_name() -> None:
    listed = [policy("p", selecting(role="hub"), selecting(role="spoke"))]
    hub, spoke, other = member("a", role="hub"), member("b", role="spoke"), member("c", role="spoke")
    assert decide(listed, hub, spoke).connects
    assert decide(listed, spoke, hub).connects
    assert decide(listed, spoke, other).reason == ISOLATED


def test_the_narrowest_policy_decides_and_two_that_disagree_connect_nobody() -> None:
    everybody = policy("all", Selector(), Selector())
    apart = policy("apart", selecting(role="hub"), Selector(), Action.ISOLATE)
    hub, spoke = member("a", role="hub"), member("b", role="spoke")
    assert decide([everybody, apart], hub, spoke) == Decision(
        connects=False, reason=ISOLATED, message="connection policy apart says so"
    )
    rival = policy("rival", selecting(role="spoke"), Selector())
    found = decide([everybody, apart, rival], hub, spoke)
    assert (found.connects, found.reason) == (False, CONFLICTED)
    assert found.message == "connection policies apart and rival disagree"
    assert decide([everybody, rival, policy("twin", selecting(role="spoke"), Selector())], hub, spoke).connects


def test_two_drivers_for_one_pair_are_a_conflict() -> None:
    listed = [policy(driver, Selector(), Selector(), driver=driver) for driver in ("vxlan", "wireguard")]
    assert decide(listed, member("a"), member("b")).reason == CONFLICTED
    assert decide(listed[:1], member("a"), member("b")).cable_driver == "vxlan"


def test_selectors_read_as_in_kubernetes() -> None:
    expressions = [
        {"key": "role", "operator": "In", "values": ["hub", "spoke"]},
        {"key": "zone", "operator": "NotIn", "values": ["far"]},
        {"key": "role", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    left = {"matchLabels": {"role": "hub"}, "matchExpressions": expressions}
    read = parse_policy({"metadata": {"name": "p"}, "spec": {"left": left, "right": {}, "action": "Connect"}})
    assert read.left.matches({"role": "hub"})
    assert not read.left.matches({"role": "spoke"})
    assert not read.left.matches({"role": "hub", "zone": "far"})
    assert not read.left.matches({"role": "hub", "old": ""})
    assert (read.right.matches({}), read.specificity) == (True, 5)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (None, "spec"),
        ({"left": {}, "right": {}, "action": "Maybe"}, "spec.action"),
        ({"left": [], "right": {}, "action": "Connect"}, "spec.left"),
        ({"left": {}, "right": {"matchLabels": ["x"]}, "action": "Connect"}, "spec.right"),
        ({"left": {}, "right": {}, "action": "Connect", "cableDriver": 1}, "spec.cableDriver"),
        *(
            ({"left": {"matchExpressions": [bad]}, "right": {}, "action": "Connect"}, "spec.left.matchExpressions[0]")
            for bad in (
                "x",
                {"operator": "In", "values": ["a"]},
                {"key": "k", "operator": "Near", "values": ["a"]},
                {"key": "k", "operator": "In"},
                {"key": "k", "operator": "In", "values": "a"},
                {"key": "k", "operator": "Exists", "values": ["a"]},
                {"key": "no key", "operator": "Exists"},
                {"key": "/k", "operator": "Exists"},
                {"key": f"{'d' * 254}/k", "operator": "Exists"},
                {"key": "k", "operator": "In", "values": ["a", "no value"]},
                {"key": "k", "operator": "In", "values": ["v" * 64]},
            )
        ),
        *(
            ({"left": {}, "right": {"matchLabels": bad}, "action": "Connect"}, "spec.right.matchLabels")
            for bad in ({"no key": "a"}, {"k": "no value"}, {"k": 1}, {"k" * 64: "a"}, {"k": "-"}, {"Domain/k": "a"})
        ),
    ],
)
def test_what_is_wrong_in_a_policy_is_named(spec: object, field: str) -> None:
    with pytest.raises(MalformedObjectError) as raised:
        parse_policy({"metadata": {"name": "p"}, "spec": spec})
    assert str(raised.value).startswith(field)


@pytest.mark.parametrize(
    ("key", "value"), [("k", ""), ("k" * 63, "v" * 63), ("a.example/K_k.k", "V-v_v.v"), ("1", "2")]
)
def test_whatever_may_be_a_label_may_be_selected(key: str, value: str) -> None:
    left = {"matchLabels": {key: value}}
    read = parse_policy({"metadata": {"name": "p"}, "spec": {"left": left, "right": {}, "action": "Connect"}})
    assert read.left.matches({key: value})


def test_a_policy_that_cannot_be_read_connects_nobody_and_forbids_what_it_did() -> None:
    clusters = [_cluster("east"), _cluster("west")]
    good = {"metadata": {"name": "good"}, "spec": {"left": {}, "right": {}, "action": "Connect"}}
    bad = {"metadata": {"name": "bad"}, "spec": {"left": {}, "right": {}, "action": "?"}}
    assert decide_all("east", clusters, []) == {}
    assert decide_all("east", clusters, [good, bad]) == {}
    alone = decide_all("east", clusters, [bad])["west"]
    assert alone.reason == ISOLATED
    assert alone.message.startswith(
        "no connection policy matches this pair; bad cannot be read: spec.action: '?' is none of"
    )


def test_a_member_is_who_the_broker_says_whatever_it_says_itself() -> None:
    west = _cluster("west")
    west["spec"]["cluster_id"] = "east"
    decisions = decide_all("north", [west], [_selecting("west")])
    assert decisions["west"].reason == ISOLATED
    assert member_of(west, "west").colors == {"red"}


def _cluster(name: str) -> dict[str, dict[str, object]]:
    labels = {CLUSTER_ID_LABEL: name}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"cluster_id": name, "color_codes": ["red"]}}


def _selecting(cluster_id: str) -> dict[str, object]:
    left = {"matchLabels": {CLUSTER_ID_LABEL: cluster_id}}
    return {"metadata": {"name": "p"}, "spec": {"left": left, "right": {}, "action": "Isolate"}}


def test_a_member_whose_cluster_was_not_seen_yet_connects_to_nobody_once_there_are_policies() -> None:
    """Its Endpoint may come first, and nobody knows what labels it has."""
    endpoint = {"metadata": {"name": "c-cable", "labels": {CLUSTER_ID_LABEL: "c"}}}
    policy = {
        "metadata": {"name": "all"},
        "spec": {"left": {}, "right": {}, "action": "Connect"},
    }
    assert decide_all("a", [], [], [endpoint]) == {}
    assert decide_all("a", [], [policy], [endpoint])["c"].reason == ISOLATED
    cluster = {**endpoint, "kind": "Cluster", "spec": {"cluster_id": "c"}}
    assert decide_all("a", [cluster], [policy], [endpoint]) == {}


@given(policies, members, st.lists(members, max_size=4, unique_by=lambda each: each.cluster_id))
def test_one_cluster_and_each_of_the_others_are_decided_as_pairs(
    given_policies: list[Policy], one: Member, others: list[Member]
) -> None:
    expected = {other.cluster_id: decide(given_policies, one, other) for other in others}
    assert decide_each(given_policies, one, others) == expected


def test_policies_about_other_pairs_connect_nobody() -> None:
    others = policy("p", selecting(role="a"), selecting(role="a"))
    decision = decide_each([others], member("east"), [member("west")])["west"]
    assert (decision.connects, decision.reason) == (False, ISOLATED)
