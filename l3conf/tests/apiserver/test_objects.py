"""The life of objects, as components in the process see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.tests.apiserver.manifests import GADGETS, config_map, gadget, gadgets, pod, service

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import ClusterAPI

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


def test_a_returned_object_is_the_callers_own(api: ClusterAPI) -> None:
    made = api.create("configmaps", config_map(a="1"))
    made["data"]["a"] = "changed"
    assert api.get("configmaps", "m", "default")["data"] == {"a": "1"}


def test_an_update_that_changes_nothing_keeps_the_resource_version(api: ClusterAPI) -> None:
    made = api.create("configmaps", config_map(a="1"))
    assert api.update("configmaps", made) == made


def test_a_stale_update_conflicts(api: ClusterAPI) -> None:
    stale = api.create("configmaps", config_map(a="1"))
    api.patch("configmaps", "m", {"data": {"a": "2"}}, namespace="default")
    with pytest.raises(StatusError, match="the object has been modified") as refused:
        api.update("configmaps", {**stale, "data": {"a": "3"}})
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")


def test_generated_names_differ(api: ClusterAPI) -> None:
    bare = {"metadata": {"generateName": "m-", "namespace": "default"}}
    names = {api.create("configmaps", bare)["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("m-") for name in names)


@pytest.mark.parametrize(
    ("resource", "obj", "code", "message"),
    [
        ("pods", pod(namespace="nowhere"), 404, 'namespaces "nowhere" not found'),
        ("pods", pod("Upper"), 422, "metadata.name"),
        ("pods", pod(containers=[]), 422, "spec.containers: Required value"),
        ("pods", pod(serviceAccountName="nobody"), 403, 'serviceaccount "nobody" not found'),
        ("pods", pod(restartPolicy="Sometimes"), 422, "spec.restartPolicy: Unsupported value"),
        ("services", service("1st"), 422, "DNS-1035"),
        ("services", service(clusterIP="10.1.2.3"), 422, "not in the valid range"),
        ("services", service(clusterIP="100.96.0.1"), 422, "already allocated"),
        ("services", service(ports=[{"port": 70000}]), 422, "must be between 1 and 65535"),
        ("configmaps", {"metadata": {"namespace": "default"}}, 422, "name or generateName is required"),
        ("configmaps", config_map() | {"kind": "Pod"}, 400, "is not ConfigMap"),
        ("namespaces", {"metadata": {"name": "default"}}, 409, "already exists"),
    ],
)
def test_what_breaks_the_rules_is_refused_in_kubernetes_words(
    api: ClusterAPI, resource: str, obj: dict[str, Any], code: int, message: str
) -> None:
    with pytest.raises(StatusError) as refused:
        api.create(resource, obj)
    assert refused.value.code == code
    assert message in refused.value.message


def test_a_pod_runs_as_the_default_account_with_its_credentials_mounted(api: ClusterAPI) -> None:
    spec = api.create("pods", pod())["spec"]
    assert spec["serviceAccountName"] == "default"
    assert spec["restartPolicy"] == "Always"
    mounts = spec["containers"][0]["volumeMounts"]
    assert [mount["mountPath"] for mount in mounts] == ["/var/run/secrets/kubernetes.io/serviceaccount"]


def test_a_pods_spec_does_not_change_but_its_node_is_set_once(api: ClusterAPI) -> None:
    api.create("pods", pod())
    assert api.patch("pods", "p", {"spec": {"nodeName": "n1"}}, namespace="default")["spec"]["nodeName"] == "n1"
    for change in ({"nodeName": "n2"}, {"restartPolicy": "Never"}):
        with pytest.raises(StatusError, match="pod updates may not change fields"):
            api.patch("pods", "p", {"spec": change}, namespace="default")


def test_the_status_has_its_own_door(api: ClusterAPI) -> None:
    api.create("pods", pod())
    assert api.patch("pods", "p", {"status": {"phase": "Running"}}, namespace="default")["status"]["phase"] == "Pending"
    running = api.patch("pods", "p", {"status": {"phase": "Running"}}, namespace="default", subresource="status")
    assert running["status"]["phase"] == "Running"


def test_a_running_pod_waits_for_its_kubelet(api: ClusterAPI) -> None:
    api.create("pods", pod(nodeName="n1", terminationGracePeriodSeconds=7))
    api.delete("pods", "p", "default")
    assert api.get("pods", "p", "default")["metadata"]["deletionGracePeriodSeconds"] == 7
    api.delete("pods", "p", "default", grace_period_seconds=0)
    with pytest.raises(StatusError, match="not found"):
        api.get("pods", "p", "default")


def test_finalizers_hold_an_object_until_the_last_is_gone(api: ClusterAPI) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["example.org/a", "example.org/b"]
    api.create("configmaps", held)
    api.delete("configmaps", "m", "default")
    with pytest.raises(StatusError, match="no new finalizers can be added"):
        api.patch("configmaps", "m", {"metadata": {"finalizers": ["example.org/c"]}}, namespace="default")
    api.patch("configmaps", "m", {"metadata": {"finalizers": ["example.org/b"]}}, namespace="default")
    assert api.get("configmaps", "m", "default")["metadata"]["deletionTimestamp"]
    api.patch("configmaps", "m", {"metadata": {"finalizers": None}}, namespace="default")
    assert not [obj for obj in api.list("configmaps", "default") if obj["metadata"]["name"] == "m"]


def test_a_deletion_may_name_the_object_it_means(api: ClusterAPI) -> None:
    api.create("configmaps", config_map())
    with pytest.raises(StatusError, match="Precondition failed: UID"):
        api.delete("configmaps", "m", "default", uid="another")


def test_a_terminating_namespace_takes_nothing_new_and_goes_when_finalized(api: ClusterAPI) -> None:
    api.create("namespaces", {"metadata": {"name": "n"}})
    api.delete("namespaces", "n")
    going = api.get("namespaces", "n")
    assert going["status"]["phase"] == "Terminating"
    with pytest.raises(StatusError, match="being terminated"):
        api.create("configmaps", {"metadata": {"name": "m", "namespace": "n"}})
    api.update("namespaces", {**going, "spec": {"finalizers": []}}, subresource="finalize")
    with pytest.raises(StatusError, match="not found"):
        api.get("namespaces", "n")


def test_services_get_addresses_that_are_never_shared(api: ClusterAPI) -> None:
    asked = api.create("services", service("asked", clusterIP="100.96.0.9"))["spec"]["clusterIP"]
    given = [api.create("services", service(f"s{i}"))["spec"]["clusterIP"] for i in range(20)]
    assert asked == "100.96.0.9"
    assert len({asked, *given}) == 21
    with pytest.raises(StatusError, match="already allocated"):
        api.create("services", service("thief", clusterIP=asked))
    api.delete("services", "asked", "default")
    assert api.create("services", service("heir", clusterIP=asked))["spec"]["clusterIP"] == asked


def test_a_service_keeps_its_address(api: ClusterAPI) -> None:
    made = api.create("services", service())
    kept = api.update("services", {"metadata": made["metadata"], "spec": {"ports": [{"port": 81}]}})
    assert kept["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    with pytest.raises(StatusError, match="may not change once set"):
        api.patch("services", "s", {"spec": {"clusterIP": "100.96.9.9"}}, namespace="default")


def test_the_first_service_address_is_for_the_api(api: ClusterAPI) -> None:
    made = api.create("services", service("kubernetes", clusterIP="100.96.0.1"))
    assert made["spec"]["clusterIPs"] == ["100.96.0.1"]


def test_generations_count_changes_of_the_desired_state_only(api: ClusterAPI) -> None:
    api.create(CRDS, gadgets())
    assert api.create(GADGETS, gadget())["metadata"]["generation"] == 1
    labelled = api.patch(GADGETS, "g", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
    assert labelled["metadata"]["generation"] == 1
    reported = api.patch(GADGETS, "g", {"status": {"phase": "x"}}, namespace="default", subresource="status")
    assert (reported["metadata"]["generation"], reported["status"]) == (1, {"phase": "x"})
    assert api.patch(GADGETS, "g", {"spec": {"size": 4}}, namespace="default")["metadata"]["generation"] == 2


def test_custom_resources_are_defaulted_pruned_and_checked(api: ClusterAPI) -> None:
    api.create(CRDS, gadgets())
    made = api.create(GADGETS, gadget(unknown=1))
    assert made["spec"] == {"size": 3, "replicas": 1}
    with pytest.raises(StatusError) as refused:
        api.create(GADGETS, gadget("bad", size=0, range="10.0.0"))
    fields = {cause["field"] for cause in refused.value.details["causes"]}
    assert fields == {"spec.size", "spec.range"}


def test_a_definition_takes_its_objects_along_but_waits_for_finalizers(api: ClusterAPI) -> None:
    api.create(CRDS, gadgets())
    held = gadget("held")
    held["metadata"]["finalizers"] = ["example.org/hold"]
    api.create(GADGETS, held)
    api.create(GADGETS, gadget())
    api.delete(CRDS, GADGETS)
    assert [obj["metadata"]["name"] for obj in api.list(GADGETS)] == ["held"]
    with pytest.raises(StatusError, match="create not allowed while custom resource definition is terminating"):
        api.create(GADGETS, gadget("new"))
    api.patch(GADGETS, "held", {"metadata": {"finalizers": None}}, namespace="default")
    with pytest.raises(StatusError, match="doesn't have a resource type"):
        api.list(GADGETS)


def test_events_are_one_store_in_two_groups(api: ClusterAPI) -> None:
    core = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": "hello",
    }
    api.create("events", core)
    modern = api.get("events.events.k8s.io", "e", "default")
    assert (modern["note"], modern["regarding"]["name"]) == ("hello", "p")
    assert api.list("events", field_selector="involvedObject.name=p")
    assert not api.list("events", field_selector="involvedObject.name=q")


def test_subscribers_see_what_exists_then_every_change_after_the_call(api: ClusterAPI) -> None:
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        api.create("configmaps", config_map("before"))
        end = api.subscribe("configmaps", lambda event, obj: seen.append((event, obj["metadata"]["name"])))
        api.create("configmaps", config_map("after"))
        assert seen == []
        await asyncio.sleep(0)
        api.delete("configmaps", "after", "default")
        await asyncio.sleep(0)
        end()
        api.create("configmaps", config_map("unseen"))
        await asyncio.sleep(0)

    asyncio.run(follow())
    mine = [entry for entry in seen if entry[1] != "kube-root-ca.crt"]
    assert mine == [("ADDED", "before"), ("ADDED", "after"), ("DELETED", "after")]


def test_one_failing_subscriber_does_not_silence_the_others(api: ClusterAPI) -> None:
    seen: list[str] = []
    problems: list[dict[str, Any]] = []

    def fail(event: str, obj: dict[str, Any]) -> None:
        raise RuntimeError(event, obj["kind"])

    async def follow() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))
        api.subscribe("nodes", fail)
        api.subscribe("nodes", lambda event, _obj: seen.append(event))
        api.create("nodes", {"metadata": {"name": "n1"}})
        await asyncio.sleep(0)

    asyncio.run(follow())
    assert seen == ["ADDED"]
    assert isinstance(problems[0]["exception"], RuntimeError)
