"""Controllers and kubelets together over the real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.tests.controllers.cluster import cluster, daemon_set, deployment, is_ready, on_loop, pod, service

if TYPE_CHECKING:
    from pathlib import Path

    from l3conf.emulator.cluster_api import Object

SLICES = "endpointslices.discovery.k8s.io"


def _status(objects: list[Object]) -> Object:
    found: Object = objects[0].get("status", {})
    return found


@on_loop
async def test_a_daemon_set_has_one_ready_pod_on_every_node(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=3) as east:
        east.api.create("daemonsets.apps", daemon_set())
        pods = await east.running(3)
        assert {item["spec"]["nodeName"] for item in pods} == {"n1", "n2", "n3"}
        await east.until("daemonsets.apps", lambda sets: _status(sets).get("numberAvailable") == 3)
        status = _status(east.api.list("daemonsets.apps", "default"))
        assert status["updatedNumberScheduled"] == status["desiredNumberScheduled"] == 3
        assert status["observedGeneration"] == 1


@on_loop
async def test_a_daemon_set_follows_labels_and_new_nodes(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("daemonsets.apps", daemon_set(nodeSelector={"submariner.io/gateway": "true"}))
        east.add_node("gw", labels={"submariner.io/gateway": "true"})
        pods = await east.running(1)
        assert pods[0]["spec"]["nodeName"] == "gw"
        east.api.patch("nodes", "n1", {"metadata": {"labels": {"submariner.io/gateway": "true"}}})
        await east.running(2)
        east.api.patch("nodes", "gw", {"metadata": {"labels": {"submariner.io/gateway": None}}})
        pods = await east.running(1)
        assert pods[0]["spec"]["nodeName"] == "n1"


@on_loop
async def test_a_rolling_update_of_a_daemon_set_replaces_every_pod_one_at_a_time(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=3) as east:
        east.api.create("daemonsets.apps", daemon_set())
        before = {item["metadata"]["uid"] for item in await east.running(3)}
        fewest = 3

        def count(_event: str, _obj: Object) -> None:
            nonlocal fewest
            fewest = min(fewest, sum(map(is_ready, east.api.list("pods", "default"))))

        stop = east.api.subscribe("pods", count)
        new = [{"name": "c", "image": "l3conf/probe:v2"}]
        east.api.patch(
            "daemonsets.apps", "ds", {"spec": {"template": {"spec": {"containers": new}}}}, namespace="default"
        )
        await east.until(
            "daemonsets.apps",
            lambda sets: (
                _status(sets).get("observedGeneration") == 2
                and _status(sets).get("updatedNumberScheduled") == _status(sets).get("numberAvailable") == 3
            ),
        )
        stop()
        after = await east.running(3)
        assert fewest >= 2
        assert not before & {item["metadata"]["uid"] for item in after}
        assert {item["spec"]["containers"][0]["image"] for item in after} == {"l3conf/probe:v2"}
        assert len(east.api.list("controllerrevisions.apps", "default")) == 2


@on_loop
async def test_on_delete_waits_for_somebody_to_delete_the_old_pods(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("daemonsets.apps", daemon_set(strategy={"type": "OnDelete"}))
        (old,) = await east.running(1)
        new = [{"name": "c", "image": "l3conf/probe:v2"}]
        east.api.patch(
            "daemonsets.apps", "ds", {"spec": {"template": {"spec": {"containers": new}}}}, namespace="default"
        )
        await east.until("daemonsets.apps", lambda sets: _status(sets).get("observedGeneration") == 2)
        assert [item["metadata"]["uid"] for item in east.api.list("pods", "default")] == [old["metadata"]["uid"]]
        east.api.delete("pods", old["metadata"]["name"], "default")
        await east.until("pods", lambda pods: [item["metadata"]["uid"] for item in pods] != [old["metadata"]["uid"]])
        (replaced,) = await east.running(1)
        assert replaced["spec"]["containers"][0]["image"] == "l3conf/probe:v2"


@on_loop
async def test_a_deployment_rolls_out_and_back_within_its_bounds(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=2) as east:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        east.api.create("deployments.apps", deployment(replicas=3, strategy=rolling))
        await east.running(3)
        await east.until("deployments.apps", lambda found: _status(found).get("availableReplicas") == 3)
        fewest, most = 3, 3

        def count(_event: str, _obj: Object) -> None:
            nonlocal fewest, most
            living = [
                item for item in east.api.list("pods", "default") if not item["metadata"].get("deletionTimestamp")
            ]
            fewest, most = min(fewest, sum(map(is_ready, living))), max(most, len(living))

        stop = east.api.subscribe("pods", count)
        new = [{"name": "c", "image": "l3conf/probe:v2"}]
        east.api.patch(
            "deployments.apps", "d", {"spec": {"template": {"spec": {"containers": new}}}}, namespace="default"
        )

        def complete(found: list[Object]) -> bool:
            status = _status(found)
            counters = ("updatedReplicas", "replicas", "availableReplicas")
            return status.get("observedGeneration") == 2 and all(status.get(item) == 3 for item in counters)

        await east.until("deployments.apps", complete)
        stop()
        assert (fewest, most) == (3, 4)
        (found,) = east.api.list("deployments.apps", "default")
        assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
        reasons = {item["type"]: item["reason"] for item in found["status"]["conditions"]}
        assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}


@on_loop
async def test_scaling_a_deployment_down_deletes_the_surplus(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=2) as east:
        east.api.create("deployments.apps", deployment(replicas=4))
        await east.running(4)
        east.api.patch("deployments.apps", "d", {"spec": {"replicas": 1}}, namespace="default")
        await east.running(1)


@on_loop
async def test_pods_spread_over_the_nodes(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=3) as east:
        east.api.create("deployments.apps", deployment(replicas=6))
        pods = await east.running(6)
        nodes = [item["spec"]["nodeName"] for item in pods]
        assert {name: nodes.count(name) for name in nodes} == {"n1": 2, "n2": 2, "n3": 2}


@on_loop
async def test_a_pod_that_fits_nowhere_says_why_and_runs_once_a_node_fits(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("pods", pod("p", nodeSelector={"disk": "fast"}))
        await east.until("pods", lambda pods: "conditions" in pods[0].get("status", {}))
        (unschedulable,) = _status(east.api.list("pods", "default"))["conditions"]
        assert unschedulable["reason"] == "Unschedulable"
        assert "1 node(s) didn't match Pod's node affinity/selector" in unschedulable["message"]
        east.api.patch("nodes", "n1", {"metadata": {"labels": {"disk": "fast"}}})
        await east.running(1)


@on_loop
async def test_endpoints_follow_readiness_and_deletion(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=2) as east:
        east.api.create("services", service())
        east.api.create("daemonsets.apps", daemon_set())
        await east.running(2)

        def ready(pieces: list[Object]) -> list[Object]:
            return [
                endpoint
                for piece in pieces
                if piece["metadata"]["name"].startswith("svc-")
                for endpoint in piece["endpoints"]
                if endpoint["conditions"]["ready"]
            ]

        await east.until(SLICES, lambda pieces: len(ready(pieces)) == 2)
        endpoints = ready(east.api.list(SLICES, "default"))
        assert {item["nodeName"] for item in endpoints} == {"n1", "n2"}
        east.api.delete("daemonsets.apps", "ds", "default")
        await east.until(SLICES, lambda pieces: not ready(pieces))
        await east.until(
            "endpoints", lambda found: all(not e.get("subsets") or e["metadata"]["name"] != "svc" for e in found)
        )


@on_loop
async def test_endpoints_of_a_service_without_selector_are_left_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        created = service("external")
        del created["spec"]["selector"]
        east.api.create("services", created)
        own = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "external-1",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "external"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.7"]}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }
        east.api.create(SLICES, own)
        await east.settled()
        names = {item["metadata"]["name"] for item in east.api.list(SLICES, "default")}
        assert names == {"kubernetes", "external-1"}


@on_loop
async def test_the_api_is_published_as_a_service(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        found = east.api.get("services", "kubernetes", "default")
        assert found["spec"]["clusterIP"] == "10.101.0.1"
        piece = east.api.get(SLICES, "kubernetes", "default")
        assert piece["endpoints"][0]["addresses"] == ["172.16.1.2"]
        assert piece["ports"][0]["port"] == 6443


@on_loop
async def test_a_deleted_owner_takes_its_dependents_along(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("deployments.apps", deployment(replicas=2))
        await east.running(2)
        east.api.delete("deployments.apps", "d", "default")
        await east.until("replicasets.apps", lambda found: not found)
        await east.until("pods", lambda found: not found)


@on_loop
async def test_an_object_whose_owner_never_existed_is_collected(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ghost = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "ghost",
            "uid": "00000000-0000-0000-0000-000000000000",
        }
        metadata = {"name": "orphaned", "namespace": "default", "ownerReferences": [ghost]}
        east.api.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        await east.until(
            "configmaps", lambda found: [item["metadata"]["name"] for item in found] == ["kube-root-ca.crt"]
        )


@on_loop
async def test_a_deleted_namespace_is_emptied_and_goes(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
        created = pod("p")
        created["metadata"]["namespace"] = "x"
        east.api.create("pods", created)
        await east.until("pods", lambda found: bool(found) and is_ready(found[0]), namespace="x")
        east.api.delete("namespaces", "x")
        await east.until(
            "namespaces", lambda found: all(item["metadata"]["name"] != "x" for item in found), namespace=""
        )


@on_loop
async def test_a_namespace_with_a_stuck_object_says_what_holds_it(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        east.api.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
        metadata = {"name": "held", "namespace": "x", "finalizers": ["example.org/hold"]}
        east.api.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        east.api.delete("namespaces", "x")

        def told(found: list[Object]) -> bool:
            namespace = next(item for item in found if item["metadata"]["name"] == "x")
            conditions = {item["type"]: item for item in namespace["status"].get("conditions", [])}
            held = conditions.get("NamespaceFinalizersRemaining", {})
            return held.get("status") == "True" and "example.org/hold in 1 resource instances" in held["message"]

        await east.until("namespaces", told, namespace="")
        east.api.patch("configmaps", "held", {"metadata": {"finalizers": None}}, namespace="x")
        await east.until(
            "namespaces", lambda found: all(item["metadata"]["name"] != "x" for item in found), namespace=""
        )


@on_loop
async def test_a_silent_node_is_unknown_tainted_and_its_pods_unready_until_it_speaks(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1, node_grace=0.3) as east:
        east.api.create("daemonsets.apps", daemon_set())
        await east.running(1)
        kubelet = east.pods.kubelets["n1"]
        kubelet._heartbeat.stop()

        def silent(nodes: list[Object]) -> bool:
            taints = {(item["key"], item["effect"]) for item in nodes[0]["spec"].get("taints") or ()}
            ready = next(item for item in nodes[0]["status"]["conditions"] if item["type"] == "Ready")
            unreachable = "node.kubernetes.io/unreachable"
            return ready["status"] == "Unknown" and taints == {(unreachable, "NoSchedule"), (unreachable, "NoExecute")}

        await east.until("nodes", silent, namespace="")
        kubelet._heartbeat.start()
        await east.until("nodes", lambda nodes: is_ready(nodes[0]) and not nodes[0]["spec"].get("taints"), namespace="")
        await east.running(1)


@on_loop
async def test_pods_of_a_node_that_is_gone_are_deleted(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("pods", pod("p"))
        await east.running(1)
        await east.pods.kubelets["n1"].stop()
        east.api.delete("nodes", "n1")
        await east.until("pods", lambda found: not found)


@on_loop
async def test_the_default_service_account_comes_back(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        await east.settled()
        east.api.delete("serviceaccounts", "default", "default")
        with pytest.raises(StatusError):
            east.api.get("serviceaccounts", "default", "default")
        await east.until("serviceaccounts", bool)
