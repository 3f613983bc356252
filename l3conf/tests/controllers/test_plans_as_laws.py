"""Laws that every plan keeps, whatever the state it starts from."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from l3conf.emulator.controllers.cache import Key
from l3conf.emulator.controllers.daemon_sets import HASH_LABEL, newest_hash, plan_daemon_set
from l3conf.emulator.controllers.deployments import bounds, plan_deployment
from l3conf.emulator.controllers.endpoint_slices import MOST_ENDPOINTS, plan_slices, wanted_endpoints
from l3conf.emulator.controllers.ownership_graph import Action, Member, OwnershipGraph, Reference
from l3conf.emulator.controllers.placement import tolerates, wants_node
from l3conf.emulator.controllers.pod_template import HASH_LENGTH, SAFE_ALPHABET, int_or_percent, template_hash
from l3conf.emulator.controllers.scheduler import choose_node
from l3conf.emulator.controllers.selectors import matches
from l3conf.tests.controllers.cluster import daemon_set, deployment, service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = dict[str, Any]


def node(name: str, *taints: JSON, **labels: str) -> JSON:
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}}


def running_pod(name: str, node_name: str, *, ready: bool = True, digest: str = "", deleting: bool = False) -> JSON:
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": "2025-01-01T00:00:00Z"}]
    made: JSON = {
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "a", HASH_LABEL: digest}},
        "spec": {"nodeName": node_name, "containers": []},
        "status": {"phase": "Running", "conditions": conditions, "podIPs": [{"ip": f"10.1.0.{len(name)}"}]},
    }
    if deleting:
        made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return made


nodes_strategy = st.lists(st.sampled_from(["n1", "n2", "n3", "n4"]), unique=True)
pods_strategy = st.lists(
    st.tuples(st.sampled_from(["n1", "n2", "n3", "n4"]), st.booleans(), st.booleans(), st.booleans()), max_size=8
)


def made_pods(raw: list[tuple[str, bool, bool, bool]], digest: str) -> list[JSON]:
    return [
        running_pod(f"p{index}", where, ready=ready, digest=digest if new else "old", deleting=deleting)
        for index, (where, ready, new, deleting) in enumerate(raw)
    ]


@given(nodes_strategy, pods_strategy, st.integers(1, 3), st.randoms())
@example(
    names=["n1", "n2"],
    raw=[("n1", True, False, False), ("n2", False, False, False), ("n2", True, False, False)],
    budget=1,
    random=Random(0),  # noqa: S311 - an order, no secret
)
def test_a_daemon_set_never_takes_more_serving_pods_than_its_budget(
    names: list[str], raw: list[tuple[str, bool, bool, bool]], budget: int, random: Random
) -> None:
    wanted = daemon_set(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": budget}})
    pods = made_pods(raw, newest_hash(wanted))
    nodes = [node(name) for name in names]
    plan = plan_daemon_set(wanted, nodes, pods, NOW)
    shuffled_nodes, shuffled_pods = list(nodes), list(pods)
    random.shuffle(shuffled_nodes)
    random.shuffle(shuffled_pods)
    again = plan_daemon_set(wanted, shuffled_nodes, shuffled_pods, NOW)
    assert set(again.create_on) == set(plan.create_on)
    gone = {pod["metadata"]["name"] for pod in plan.delete}

    def serves(name: str, *, after: bool) -> bool:
        return any(
            pod["spec"]["nodeName"] == name
            and pod["status"]["conditions"][0]["status"] == "True"
            and not pod["metadata"].get("deletionTimestamp")
            and not (after and pod["metadata"]["name"] in gone)
            for pod in pods
        )

    newly_silent = [name for name in names if serves(name, after=False) and not serves(name, after=True)]
    assert len(newly_silent) <= budget
    assert not set(plan.create_on) & {pod["spec"]["nodeName"] for pod in pods}


@given(nodes_strategy)
def test_a_daemon_set_in_place_needs_nothing(names: list[str]) -> None:
    wanted = daemon_set()
    pods = [running_pod(f"p{name}", name, digest=newest_hash(wanted)) for name in names]
    plan = plan_daemon_set(wanted, [node(name) for name in names], pods, NOW)
    assert not plan.create_on
    assert not plan.delete
    assert plan.status["numberAvailable"] == plan.status["desiredNumberScheduled"] == len(names)


@given(
    st.integers(0, 6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=3),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_a_deployment_stays_within_its_bounds(
    replicas: int, raw: list[tuple[int, int]], surge: int, unavailable: int
) -> None:
    rolling = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    wanted = deployment(replicas=replicas, strategy=rolling)
    wanted["metadata"]["uid"] = "d"
    sets: list[JSON] = [
        {
            "metadata": {"name": f"rs{index}", "labels": {"pod-template-hash": f"old{index}"}, "annotations": {}},
            "spec": {"replicas": asked},
            "status": {"replicas": asked, "availableReplicas": min(asked, available)},
        }
        for index, (asked, available) in enumerate(raw)
    ]
    most, least = bounds(wanted)
    plan = plan_deployment(wanted, sets, NOW)
    asked_before = sum(item["spec"]["replicas"] for item in sets)
    available_before = sum(item["status"]["availableReplicas"] for item in sets)
    lost = 0
    for item in sets:
        left = plan.scale.get(item["metadata"]["name"], item["spec"]["replicas"])
        assert 0 <= left <= item["spec"]["replicas"]
        lost += max(0, item["status"]["availableReplicas"] - left)
    assert plan.new_replicas + asked_before <= max(most, asked_before)
    assert available_before - lost >= min(least, available_before)


@given(st.lists(st.booleans(), max_size=250), st.lists(st.integers(0, 249), max_size=40))
def test_slices_settle_at_once_and_hold_every_endpoint_once(readiness: list[bool], leaving: list[int]) -> None:
    wanted = service()
    wanted["metadata"]["uid"] = "s"
    pods = [running_pod(f"p{index:03}", "n1", ready=ready) for index, ready in enumerate(readiness)]
    slices = _carried_out([], wanted, pods)
    assert _carried_out(slices, wanted, pods) == slices
    rest = [pod for index, pod in enumerate(pods) if index not in set(leaving)]
    slices = _carried_out(slices, wanted, rest)
    assert _carried_out(slices, wanted, rest) == slices
    held = [endpoint["targetRef"]["uid"] for piece in slices for endpoint in piece["endpoints"]]
    assert sorted(held) == [pod["metadata"]["uid"] for pod in rest]
    assert all(len(piece["endpoints"]) <= MOST_ENDPOINTS for piece in slices)


def _carried_out(slices: list[JSON], wanted: JSON, pods: list[JSON]) -> list[JSON]:
    plan = plan_slices(wanted, pods, slices)
    changed = {piece["metadata"]["name"]: piece for piece in plan.update}
    gone = {piece["metadata"]["name"] for piece in plan.delete}
    kept = [changed.get(name, piece) for piece in slices if (name := piece["metadata"]["name"]) not in gone]
    created = [copy.deepcopy(piece) for piece in plan.create]
    taken = {piece["metadata"]["name"] for piece in slices}
    free = (f"svc-{index}" for index in range(1000) if f"svc-{index}" not in taken)
    for piece in created:
        piece["metadata"]["name"] = next(free)
    return kept + created


def test_ports_by_name_resolve_in_every_pod_for_itself() -> None:
    wanted = service(ports=[{"name": "http", "port": 80, "targetPort": "web"}])
    pods = [running_pod("p1", "n1"), running_pod("p22", "n1")]
    for pod, number in zip(pods, (8080, 9090), strict=True):
        pod["spec"]["containers"] = [{"name": "c", "ports": [{"name": "web", "containerPort": number}]}]
    groups = {ports[0][1]: list(members) for (_, ports), members in wanted_endpoints(wanted, pods).items()}
    assert groups == {8080: ["p1"], 9090: ["p22"]}


def test_a_terminating_endpoint_still_serves_but_is_not_ready() -> None:
    members = wanted_endpoints(service(), [running_pod("p", "n1", deleting=True)])
    ((endpoint,),) = [list(group.values()) for group in members.values()]
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}


@given(st.lists(st.sampled_from(["n1", "n2", "n3"]), max_size=9))
def test_the_scheduler_never_chooses_a_fuller_node(placed: list[str]) -> None:
    pods = [running_pod(f"p{index}", where) for index, where in enumerate(placed)]
    choice = choose_node({"metadata": {}, "spec": {}}, [node(name) for name in ("n1", "n2", "n3")], pods).node
    assert placed.count(choice) == min(placed.count(name) for name in ("n1", "n2", "n3"))


def test_tolerations_match_taints_as_the_api_says() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert tolerates({"operator": "Exists"}, taint)
    assert tolerates({"key": "k", "value": "v"}, taint)
    assert tolerates({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, taint)
    assert not tolerates({"key": "k", "value": "other"}, taint)
    assert not tolerates({"key": "k", "operator": "Exists", "effect": "NoExecute"}, taint)


def test_node_affinity_is_any_term_of_all_requirements() -> None:
    def spec(*terms: JSON) -> JSON:
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
        return {"affinity": {"nodeAffinity": required}}

    here = node("n1", zone="a", size="5")
    in_a = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    in_b = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
    large = {"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["4"]}]}
    both = {"matchExpressions": in_a["matchExpressions"] + in_b["matchExpressions"]}
    assert wants_node(spec(in_a), here)
    assert wants_node(spec(in_b, large), here)
    assert not wants_node(spec(both), here)
    assert not wants_node(spec({}), here)


def test_selectors_combine_labels_and_expressions() -> None:
    selector = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}
    assert matches(selector, {"a": "1"})
    assert not matches(selector, {"a": "1", "b": ""})
    assert matches({}, {})


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3)))
def test_a_hash_does_not_depend_on_the_order_of_keys(template: JSON) -> None:
    digest = template_hash(template)
    assert digest == template_hash(dict(reversed(template.items())))
    assert len(digest) == HASH_LENGTH
    assert set(digest) <= set(SAFE_ALPHABET)


def test_percentages_round_as_their_field_says() -> None:
    assert int_or_percent("25%", 3, round_up=True) == 1
    assert int_or_percent("25%", 3, round_up=False) == 0
    assert int_or_percent(2, 3, round_up=False) == 2


def member(uid: str, *owners: str, deleting: bool = False, finalizers: tuple[str, ...] = ()) -> Member:
    references = tuple(Reference(owner, "v1", "ConfigMap", owner, blocks=True) for owner in owners)
    return Member(
        uid=uid,
        resource="configmaps",
        key=Key("default", uid),
        owners=references,
        deleting=deleting,
        finalizers=finalizers,
    )


def decide(subject: Member, *others: Member) -> Action:
    graph = OwnershipGraph()
    for item in (subject, *others):
        graph.put(item)
    return graph.decide(subject, lambda _member, _reference: False).action


def test_an_object_lives_as_long_as_one_owner_does() -> None:
    assert decide(member("x")) is Action.KEEP
    assert decide(member("x", "a"), member("a")) is Action.KEEP
    assert decide(member("x", "a")) is Action.DELETE
    assert decide(member("x", "a", "b"), member("a")) is Action.DROP_REFERENCES


def test_foreground_deletion_goes_down_before_it_goes_up() -> None:
    going = member("a", deleting=True, finalizers=("foregroundDeletion",))
    assert decide(member("x", "a"), going) is Action.DELETE
    assert decide(member("x", "a"), going, member("y", "x")) is Action.DELETE_IN_FOREGROUND


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sets(st.sampled_from("abcd"))), max_size=12))
def test_dependents_are_what_the_last_state_says(changes: list[tuple[str, set[str]]]) -> None:
    graph, truth = OwnershipGraph(), {}
    for uid, owners in changes:
        graph.put(member(uid, *sorted(owners)))
        truth[uid] = owners
    for owner in "abcd":
        assert {item.uid for item in graph.dependents(owner)} == {
            uid for uid, owners in truth.items() if owner in owners
        }
