from __future__ import annotations

import copy
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import (
    CLUSTER_ID_LABEL,
    COPIED,
    CREATED,
    DESERTED,
    EXPORTED,
    PAIR_DRIVER,
    PAIR_POLICY,
)
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.exchange import Write, WriteVerb
from reference_impl.planner.mailboxes import BrokerFacts, owner_of, plan_mailboxes, registered
from reference_impl.planner.membership import plan_membership
from reference_impl.planner.relays import REACHED, UNREACHED
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.object_codec import parse_cluster
from reference_impl.protocols.policy import CONFLICTED, ISOLATED, Decision
from reference_impl.tests.planner.facts import OWN

Object = dict[str, Any]
COMMON = "common"
MEMBERS = ("a", "b", "c", "d")
BOXES = {name: f"box-{name}" for name in MEMBERS[:3]}
"""The fourth is a member of old, or one that the administrator wrote down: it has no mailbox."""


def cluster(owner: str, namespace: str = "", **labels: str) -> Object:
    return {
        "kind": "Cluster",
        "metadata": {
            "name": owner,
            "namespace": namespace or BOXES.get(owner, COMMON),
            "labels": {CLUSTER_ID_LABEL: owner, **labels},
            "creationTimestamp": f"2020-01-01T00:00:0{MEMBERS.index(owner)}Z",
        },
        "spec": {"cluster_id": owner, "cluster_cidr": [f"10.{MEMBERS.index(owner)}.0.0/16"], "service_cidr": []},
        "status": {"conditions": []},
    }


def endpoint(owner: str, **config: str) -> Object:
    spec = {"cluster_id": owner, "private_ip": f"192.0.2.{MEMBERS.index(owner)}", "backend_config": config}
    return {**cluster(owner), "kind": "Endpoint", "spec": spec} | {
        "metadata": {**cluster(owner)["metadata"], "name": f"{owner}-endpoint"}
    }


def facts(objects: list[Object], *parted: frozenset[str], reason: str = ISOLATED) -> BrokerFacts:
    decision = Decision(connects=False, reason=reason, message="so it is")
    decisions = {
        reader: {other: decision for other in MEMBERS if frozenset((reader, other)) in parted} for reader in MEMBERS
    }
    return BrokerFacts(common=COMMON, mailboxes=BOXES, objects=tuple(objects), decisions=decisions)


def carried_out(objects: list[Object], writes: tuple[Write, ...]) -> list[Object]:
    held = {(obj["metadata"]["namespace"], obj["kind"], obj["metadata"]["name"]): obj for obj in objects}
    for write in writes:
        key = write.obj["metadata"]["namespace"], write.obj["kind"], write.obj["metadata"]["name"]
        assert (key in held) is (write.verb is not WriteVerb.CREATE)
        if write.verb is WriteVerb.DELETE:
            del held[key]
        else:
            held[key] = copy.deepcopy(write.obj)
    return list(held.values())


def in_box(objects: list[Object], reader: str) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for obj in objects:
        if obj["metadata"]["namespace"] == BOXES[reader]:
            found.setdefault(owner_of(obj), []).append(obj)
    return found


EVERYTHING = [each for owner in MEMBERS for each in (cluster(owner), endpoint(owner))]
PAIRS = [frozenset(pair) for pair in permutations(MEMBERS, 2)]
parted_pairs = st.frozensets(st.sampled_from(PAIRS))
lies = st.lists(
    st.builds(
        lambda obj, place, spec: {
            **obj,
            "metadata": {**obj["metadata"], "namespace": place, "annotations": {COPIED: "elsewhere"}},
            "spec": spec,
        },
        st.sampled_from(EVERYTHING),
        st.sampled_from([COMMON, *BOXES.values()]),
        st.just({"cluster_id": "x"}),
    ),
    max_size=6,
    unique_by=lambda obj: (obj["metadata"]["namespace"], obj["kind"], obj["metadata"]["name"]),
)


@given(parted_pairs, parted_pairs, lies)
def test_whatever_was_there_a_mailbox_ends_up_with_those_that_its_member_may_see_and_nobody_else(
    before: frozenset[frozenset[str]], after: frozenset[frozenset[str]], left: list[Object]
) -> None:
    own = {(obj["metadata"]["namespace"], obj["kind"], obj["metadata"]["name"]) for obj in EVERYTHING}
    stray = [o for o in left if (o["metadata"]["namespace"], o["kind"], o["metadata"]["name"]) not in own]
    objects = [*EVERYTHING, *stray]
    for parted in (before, after):
        writes = plan_mailboxes(facts(objects, *parted))
        objects = carried_out(objects, writes)
        for reader in BOXES:
            seen = {other for other in MEMBERS if other != reader and frozenset((reader, other)) not in parted}
            held = in_box(objects, reader)
            assert held.keys() - {reader} == seen
            for owner in seen:
                specs = {obj["kind"]: obj["spec"] for obj in held[owner]}
                assert specs == {"Cluster": cluster(owner)["spec"], "Endpoint": endpoint(owner)["spec"]}
        assert plan_mailboxes(facts(objects, *parted)) == (), "what is as it should be is left alone"
        assert [obj for obj in objects if not (obj["metadata"].get("annotations") or {})] == EVERYTHING


@given(parted_pairs)
def test_what_somebody_may_no_longer_see_goes_before_anything_else(parted: frozenset[frozenset[str]]) -> None:
    objects = carried_out(EVERYTHING, plan_mailboxes(facts(EVERYTHING)))
    newer = [{**obj, "spec": {**obj["spec"], "new": True}} if obj in EVERYTHING else obj for obj in objects]
    verbs = [write.verb is WriteVerb.DELETE for write in plan_mailboxes(facts(newer, *parted))]
    assert verbs == sorted(verbs, reverse=True)


def test_copies_say_when_the_original_was_made_and_not_what_their_owner_notes_about_itself() -> None:
    boast = cluster("a")
    boast["metadata"]["annotations"] = {CREATED: "1970-01-01T00:00:00Z", PAIR_DRIVER: "none", EXPORTED: "then"}
    objects = carried_out([boast, cluster("b")], plan_mailboxes(facts([boast, cluster("b")])))
    (copied,) = in_box(objects, "b")["a"]
    made = cluster("a")["metadata"]["creationTimestamp"]
    assert copied["metadata"]["annotations"] == {COPIED: "a", CREATED: made, EXPORTED: "then"}
    assert "status" not in copied


def test_copies_follow_when_a_service_loses_its_backends() -> None:
    before = carried_out([cluster("a"), cluster("b")], plan_mailboxes(facts([cluster("a"), cluster("b")])))
    after = copy.deepcopy(before)
    for obj in after:
        if obj["metadata"]["namespace"] == BOXES["a"] and owner_of(obj) == "a":
            obj["metadata"]["annotations"] = {DESERTED: "true"}
    (copied,) = in_box(carried_out(after, plan_mailboxes(facts(after))), "b")["a"]
    assert copied["metadata"]["annotations"][DESERTED] == "true"


def test_labels_that_the_administrator_gave_stay_and_travel_and_members_give_none() -> None:
    objects = carried_out(EVERYTHING, plan_mailboxes(facts(EVERYTHING)))
    for obj in objects:
        if (obj["metadata"]["namespace"], obj["kind"], obj["metadata"]["name"]) == (COMMON, "Cluster", "a"):
            obj["metadata"]["labels"]["role"] = "hub"
    labels = {
        owner_of(obj): obj["metadata"]["labels"]
        for obj in registered(objects, COMMON, BOXES)
        if obj["kind"] == "Cluster"
    }
    assert labels["a"] == {CLUSTER_ID_LABEL: "a", "role": "hub"}
    objects = carried_out(objects, plan_mailboxes(facts(objects)))
    for reader in "ab":
        (told,) = [obj for obj in in_box(objects, reader)["a"] if obj["kind"] == "Cluster"]
        assert told["metadata"]["labels"]["role"] == "hub", "both ends decide by it"
    assert plan_mailboxes(facts(objects)) == ()
    for obj in objects:
        if (obj["metadata"]["namespace"], obj["kind"], obj["metadata"]["name"]) == (COMMON, "Cluster", "a"):
            del obj["metadata"]["labels"]["role"]
    objects = carried_out(objects, plan_mailboxes(facts(objects)))
    assert not [obj for obj in objects if "role" in obj["metadata"]["labels"]], "it is taken back everywhere"


def test_of_a_pair_about_which_policies_disagree_each_learns_the_others_id_and_nothing_else() -> None:
    objects = carried_out(EVERYTHING, plan_mailboxes(facts(EVERYTHING, frozenset("ab"), reason=CONFLICTED)))
    (stub,) = in_box(objects, "a")["b"]
    nowhere = ["0.0.0.0/32"]
    assert stub["spec"] == {"cluster_id": "b", "cluster_cidr": nowhere, "service_cidr": nowhere}
    membership = plan_membership(OWN, (), [parse_cluster(stub)], (), drivers=DriverSet((VXLANCables(),)))
    assert ([each.reason for each in membership.refusals], membership.known) == ([CONFLICTED], ())
    assert stub["metadata"]["annotations"] == {COPIED: "b", PAIR_POLICY: "Conflicted: so it is"}


def test_whom_somebody_reaches_is_told_to_those_alone_who_may_see_them() -> None:
    objects = [*(cluster(name) for name in "abc"), endpoint("b", **{REACHED: "a,c", UNREACHED: "c", "udp-port": "1"})]
    held = carried_out(objects, plan_mailboxes(facts(objects, frozenset("ac"))))
    told = {name: [o["spec"] for o in in_box(held, name)["b"] if o["kind"] == "Endpoint"] for name in "ac"}
    assert told["a"][0]["backend_config"] == {REACHED: "a", UNREACHED: "", "udp-port": "1"}
    assert told["c"][0]["backend_config"] == {REACHED: "c", UNREACHED: "c", "udp-port": "1"}


def test_members_without_a_mailbox_are_seen_as_they_stand_in_the_common_namespace() -> None:
    objects = carried_out(EVERYTHING, plan_mailboxes(facts(EVERYTHING)))
    assert [obj["kind"] for obj in in_box(objects, "a")["d"]] == ["Cluster", "Endpoint"]
    gone = [obj for obj in objects if not (owner_of(obj) == "d" and obj["metadata"]["namespace"] == COMMON)]
    assert "d" not in in_box(carried_out(gone, plan_mailboxes(facts(gone))), "a")


def test_who_has_left_is_forgotten_in_the_common_namespace_as_well() -> None:
    objects = carried_out(EVERYTHING, plan_mailboxes(facts(EVERYTHING)))
    left = [obj for obj in objects if obj["metadata"]["namespace"] != BOXES["c"]]
    boxes = {name: place for name, place in BOXES.items() if name != "c"}
    now = BrokerFacts(common=COMMON, mailboxes=boxes, objects=tuple(left))
    assert not [obj for obj in carried_out(left, plan_mailboxes(now)) if owner_of(obj) == "c"]


def test_who_gets_a_mailbox_later_is_seen_as_before_until_it_has_moved() -> None:
    old = [cluster("a", COMMON), {**endpoint("a"), "metadata": {**endpoint("a")["metadata"], "namespace": COMMON}}]
    rest = [cluster("b"), endpoint("b")]
    objects = carried_out([*old, *rest], plan_mailboxes(facts([*old, *rest])))
    for arrived in (cluster("a"), endpoint("a")):
        assert {obj["kind"] for obj in in_box(objects, "b")["a"]} == {"Cluster", "Endpoint"}
        objects = carried_out([*objects, arrived], plan_mailboxes(facts([*objects, arrived])))
    assert {obj["kind"] for obj in in_box(objects, "b")["a"]} == {"Cluster", "Endpoint"}
    common = [obj for obj in objects if obj["metadata"]["namespace"] == COMMON and owner_of(obj) == "a"]
    assert [obj["metadata"]["annotations"][COPIED] for obj in common] == ["a", "a"]
