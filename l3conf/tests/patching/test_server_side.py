"""Server-side apply: owners, conflicts and removal (KEP-555)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l3conf.emulator.apiserver.patching.errors import ApplyConflictError, MalformedPatchError
from l3conf.emulator.apiserver.patching.field_paths import from_fields_v1, to_fields_v1
from l3conf.emulator.apiserver.patching.server_side import apply, track_update
from l3conf.emulator.apiserver.schemas import builtin

EARLY = datetime(2024, 1, 1, tzinfo=UTC)
LATE = datetime(2024, 1, 2, tzinfo=UTC)
Object = dict[str, Any]


def applied(live: Object | None, intent: Object, manager: str, *, force: bool = False, now: datetime = EARLY) -> Object:
    schema = builtin.schema(intent["apiVersion"], intent["kind"])
    return apply(live, intent, manager=manager, force=force, api_version=intent["apiVersion"], now=now, schema=schema)


def service(**spec: Any) -> Object:  # noqa: ANN401
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}


def config_map(data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def owned(obj: Object, manager: str) -> Object:
    entry = next(entry for entry in obj["metadata"]["managedFields"] if entry["manager"] == manager)
    return dict(entry["fieldsV1"])


def test_a_created_object_is_owned_by_who_applied_it() -> None:
    obj = applied(None, service(ports=[{"port": 80, "name": "http"}], type="ClusterIP"), "ann")
    assert obj["metadata"]["managedFields"] == [
        {
            "manager": "ann",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2024-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}},
                    "f:type": {},
                }
            },
        }
    ]


def test_another_value_for_an_owned_field_is_a_conflict() -> None:
    live = applied(None, service(ports=[{"port": 80, "name": "http"}]), "ann")
    with pytest.raises(ApplyConflictError) as caught:
        applied(live, service(ports=[{"port": 80, "name": "web"}]), "bob")
    field = '.spec.ports[port=80,protocol="TCP"].name'
    assert caught.value.message == f'Apply failed with 1 conflict: conflict with "ann": {field}'
    assert caught.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "ann"', "field": field}
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    live = applied(None, config_map({"a": "1", "b": "1"}), "ann")
    with pytest.raises(ApplyConflictError) as caught:
        applied(live, config_map({"a": "2", "b": "2"}), "bob")
    assert caught.value.message == 'Apply failed with 2 conflicts: conflicts with "ann":\n- .data.a\n- .data.b'


def test_force_takes_the_field_over() -> None:
    live = applied(None, config_map({"a": "1", "b": "1"}), "ann")
    obj = applied(live, config_map({"a": "2"}), "bob", force=True)
    assert obj["data"] == {"a": "2", "b": "1"}
    assert owned(obj, "ann") == {"f:data": {"f:b": {}}}
    assert owned(obj, "bob") == {"f:data": {"f:a": {}}}


def test_the_same_value_is_shared_and_outlives_one_owner() -> None:
    live = applied(applied(None, config_map({"a": "1", "b": "1"}), "ann"), config_map({"a": "1"}), "bob")
    assert applied(live, config_map({"b": "1"}), "ann")["data"] == {"a": "1", "b": "1"}


def test_a_field_vanishes_when_its_only_owner_drops_it() -> None:
    live = applied(None, service(ports=[{"port": 80}, {"port": 81}], type="NodePort"), "ann")
    obj = applied(live, service(ports=[{"port": 81}]), "ann")
    assert obj["spec"] == {"ports": [{"port": 81}]}


def test_a_dropped_item_takes_its_defaults_along() -> None:
    live = applied(None, service(ports=[{"port": 80}, {"port": 81}]), "ann")
    live["spec"]["ports"][0]["protocol"] = "TCP"
    live["spec"]["ports"][0]["targetPort"] = 80
    assert applied(live, service(ports=[{"port": 81}]), "ann")["spec"]["ports"] == [{"port": 81}]


def test_an_object_that_only_held_dropped_fields_goes_with_its_defaults() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    probe = {"httpGet": {"path": "/", "port": 80}}
    live = applied(None, {**pod, "spec": {"containers": [{"name": "c", "livenessProbe": probe}]}}, "ann")
    live["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = 10
    obj = applied(live, {**pod, "spec": {"containers": [{"name": "c"}]}}, "ann")
    assert obj["spec"] == {"containers": [{"name": "c"}]}


def test_what_was_never_tracked_belongs_to_the_time_before() -> None:
    with pytest.raises(ApplyConflictError, match='"before-first-apply" using v1'):
        applied(config_map({"a": "1"}), config_map({"a": "2"}), "ann")
    obj = applied(config_map({"a": "1"}), config_map({"b": "2"}), "ann")
    assert owned(obj, "before-first-apply") == {"f:data": {".": {}, "f:a": {}}}


def test_atomic_lists_have_one_owner() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    live = applied(None, {**pod, "spec": {"tolerations": [{"key": "a"}]}}, "ann")
    assert owned(live, "ann") == {"f:spec": {"f:tolerations": {}}}
    with pytest.raises(ApplyConflictError, match=r"\.spec\.tolerations"):
        applied(live, {**pod, "spec": {"tolerations": [{"key": "b"}]}}, "bob")


def test_sets_merge_value_by_value() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["x/a"]}}
    live = applied(None, obj, "ann")
    both = applied(live, {**obj, "metadata": {"name": "c", "finalizers": ["x/b"]}}, "bob")
    assert sorted(both["metadata"]["finalizers"]) == ["x/a", "x/b"]
    assert owned(both, "bob") == {"f:metadata": {"f:finalizers": {'v:"x/b"': {}}}}


def test_an_update_takes_fields_from_appliers() -> None:
    live = applied(None, config_map({"a": "1", "b": "1"}), "ann")
    new = {**live, "data": {"a": "2", "c": "3"}}
    obj = track_update(live, new, manager="edit", api_version="v1", now=LATE, schema=builtin.schema("v1", "ConfigMap"))
    assert owned(obj, "edit") == {"f:data": {"f:a": {}, "f:c": {}}}
    assert [entry["manager"] for entry in obj["metadata"]["managedFields"]] == ["edit"]


def test_an_untouched_manager_keeps_its_time() -> None:
    live = applied(None, config_map({"a": "1"}), "ann")
    obj = applied(live, config_map({"b": "1"}), "bob", now=LATE)
    times = {entry["manager"]: entry["time"] for entry in obj["metadata"]["managedFields"]}
    assert times == {"ann": "2024-01-01T00:00:00Z", "bob": "2024-01-02T00:00:00Z"}


def test_a_manager_that_changes_a_value_gets_a_new_time() -> None:
    live = applied(None, config_map({"a": "1"}), "ann")
    (entry,) = applied(live, config_map({"a": "2"}), "ann", now=LATE)["metadata"]["managedFields"]
    assert entry["time"] == "2024-01-02T00:00:00Z"


def test_an_item_twice_in_an_applied_list_is_refused() -> None:
    with pytest.raises(MalformedPatchError, match=r"\.spec\.ports: duplicate entries for key \[port=80"):
        applied(None, service(ports=[{"port": 80}, {"port": 80}]), "ann")


def test_managed_fields_cannot_be_applied() -> None:
    obj = {**config_map({}), "metadata": {"name": "c", "managedFields": [{}]}}
    with pytest.raises(MalformedPatchError, match="managedFields must be nil"):
        applied(None, obj, "ann")


def test_without_a_schema_lists_are_atomic_and_objects_granular() -> None:
    obj = {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"l": [1], "o": {"a": 1}}}
    live = apply(None, obj, manager="ann", force=False, api_version="x/v1", now=EARLY, schema=None)
    assert owned(live, "ann") == {"f:spec": {".": {}, "f:l": {}, "f:o": {".": {}, "f:a": {}}}}


names = st.text("ab./", min_size=1, max_size=2)
data = st.dictionaries(names, st.sampled_from(["1", "2"]), max_size=4)
ports = st.lists(
    st.fixed_dictionaries(
        {"port": st.integers(80, 83)},
        optional={"name": st.sampled_from("xy"), "protocol": st.sampled_from(["TCP", "UDP"])},
    ),
    unique_by=lambda port: (port["port"], port.get("protocol", "TCP")),
    max_size=4,
)


@given(first=ports, second=ports)
def test_applying_twice_changes_nothing_more(first: list[Object], second: list[Object]) -> None:
    live = applied(applied(None, service(ports=first), "ann"), service(ports=second), "bob", force=True)
    again = applied(live, service(ports=second), "bob", now=LATE)
    assert again == live


@given(ours=data, theirs=data)
def test_managers_of_disjoint_fields_never_conflict(ours: dict[str, str], theirs: dict[str, str]) -> None:
    theirs = {f"their-{key}": value for key, value in theirs.items()}
    obj = applied(applied(None, config_map(ours), "ann"), config_map(theirs), "bob")
    assert obj["data"] == ours | theirs


@given(before=data, after=data)
def test_a_sole_owner_gets_exactly_what_it_applied_last(before: dict[str, str], after: dict[str, str]) -> None:
    obj = applied(applied(None, config_map(before), "ann"), config_map(after), "ann")
    assert obj["data"] == after


@given(before=ports, after=ports)
def test_a_sole_owner_of_a_list_gets_exactly_what_it_applied_last(before: list[Object], after: list[Object]) -> None:
    obj = applied(applied(None, service(ports=before), "ann"), service(ports=after), "ann")
    keys = [(port["port"], port.get("protocol", "TCP"), port.get("name")) for port in obj["spec"].get("ports", ())]
    assert keys == [(port["port"], port.get("protocol", "TCP"), port.get("name")) for port in after]


@given(first=data, second=data)
def test_no_field_is_owned_that_is_not_there(first: dict[str, str], second: dict[str, str]) -> None:
    obj = applied(applied(None, config_map(first), "ann"), config_map(second), "bob", force=True)
    for entry in obj["metadata"].get("managedFields", ()):
        for path in from_fields_v1(entry["fieldsV1"]):
            assert path == ("f:data",) or path[1].removeprefix("f:") in obj["data"]


@given(
    st.frozensets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"']), min_size=1, max_size=3).map(tuple))
)
def test_field_sets_survive_their_encoding(paths: frozenset[tuple[str, ...]]) -> None:
    assert from_fields_v1(to_fields_v1(paths)) == paths
