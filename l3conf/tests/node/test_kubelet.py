"""What becomes of a pod on a node: over the real API, on a ground without kernel."""

from __future__ import annotations

import base64
import signal
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.node.context import BackOffTimes
from l3conf.tests.controllers.cluster import cluster, is_ready, on_loop, pod
from l3conf.tests.node.fake_ground import FakeProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node_runtime import ContainerSpec
    from l3conf.tests.controllers.cluster import Cluster
    from l3conf.tests.node.fake_ground import FakeGround

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def container_state(pods: list[Object]) -> Object:
    statuses = pods[0].get("status", {}).get("containerStatuses") or [{"state": {}, "restartCount": 0, "lastState": {}}]
    found: Object = statuses[0]
    return found


def waiting(reason: str) -> Callable[[list[Object]], bool]:
    return lambda pods: (container_state(pods)["state"].get("waiting") or {}).get("reason") == reason


def has_phase(name: str, phase: str) -> Callable[[list[Object]], bool]:
    return lambda pods: any(item["metadata"]["name"] == name and item["status"]["phase"] == phase for item in pods)


def has_started(ground: FakeGround, number: int, _pods: list[Object]) -> bool:
    return len(ground.processes) == number


def reasons(east: Cluster) -> list[str]:
    return [item["reason"] for item in east.api.list("events", "default")]


@on_loop
async def test_a_node_registers_with_labels_ranges_and_a_lease(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        east.add_node("n1", labels={"submariner.io/gateway": "true"})
        node = east.api.get("nodes", "n1")
        assert node["metadata"]["labels"]["submariner.io/gateway"] == "true"
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
        assert node["spec"]["podCIDRs"] == ["10.1.0.0/24"]
        assert {"type": "InternalIP", "address": "172.16.1.10"} in node["status"]["addresses"]
        assert is_ready(node)
        assert east.api.get("leases.coordination.k8s.io", "n1", "kube-node-lease")["spec"]["holderIdentity"] == "n1"


@on_loop
async def test_a_node_that_moved_says_so_in_its_status(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        kubelet = east.pods.kubelets["n1"]
        kubelet.moved((ip_address("172.16.1.200"),))
        node = east.api.get("nodes", "n1")
        internal = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
        assert internal == ["172.16.1.200"] == [str(address) for address in ground.addresses]
        assert is_ready(node)


@on_loop
async def test_a_process_gets_its_command_environment_token_and_files(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        env = [{"name": "X", "value": "1"}]
        created = pod("p", "shell:v1", container={"args": ["-c", "echo $(X)"], "env": env, "workingDir": "/srv"})
        east.api.create("pods", created)
        await east.running(1)
        spec = ground.processes[0].spec
        assert spec is not None
        assert spec.argv == ("/bin/sh", "-c", "echo 1")
        assert (spec.env["X"], spec.env["FROM_IMAGE"], spec.working_directory) == ("1", "yes", "/srv")
        sources = {mount.target: mount.source for mount in spec.mounts}
        assert (sources[TOKEN] / "namespace").read_text() == "default"
        assert (sources[TOKEN] / "ca.crt").read_text() == east.server.ca_pem
        assert (sources[TOKEN] / "token").read_text().count(".") == 2
        assert "10.1.0.2\tp" in sources["/etc/hosts"].read_text()
        status = east.api.get("pods", "p", "default")["status"]
        assert (status["podIP"], status["hostIP"], status["phase"]) == ("10.1.0.2", "172.16.1.10", "Running")
        assert {"Scheduled", "Pulled", "Created", "Started"} <= set(reasons(east))


@on_loop
async def test_an_unknown_image_is_said_in_status_and_events(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1, back_off=BackOffTimes(first=60)) as east:
        east.api.create("pods", pod("p", "nobody/knows:v1"))
        await east.until("pods", waiting("ImagePullBackOff"))
        message = container_state(east.api.list("pods", "default"))["state"]["waiting"]["message"]
        assert "nobody/knows:v1" in message
        assert "image table has: l3conf/probe:*, shell:v1" in message
        assert {"Pulling", "Failed", "BackOff"} <= set(reasons(east))


@on_loop
async def test_a_corrected_image_runs_without_a_new_pod(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1, back_off=BackOffTimes(first=60)) as east:
        east.api.create("pods", pod("p", "nobody/knows:v1"))
        await east.until("pods", waiting("ImagePullBackOff"))
        (before,) = east.api.list("pods", "default")
        right = [{**before["spec"]["containers"][0], "image": "shell:v1"}]
        east.api.patch("pods", "p", {"spec": {"containers": right}}, namespace="default")
        await east.running(1)


@pytest.mark.parametrize(("period", "spelt"), [(300, "1m0s"), (7, "7s")])
@on_loop
async def test_a_crashing_container_restarts_at_once_and_then_backs_off(
    period: float, spelt: str, tmp_path: Path
) -> None:
    times = BackOffTimes(first=60, max_container_restart_period=period)
    async with cluster(tmp_path, back_off=times) as east:
        ground = east.add_node("n1")

        def crash(spec: ContainerSpec) -> FakeProcess:
            process = FakeProcess(spec)
            process.end(3)
            return process

        ground.starting = crash
        east.api.create("pods", pod("p", "shell:v1"))
        await east.until("pods", waiting("CrashLoopBackOff"))
        state = container_state(east.api.list("pods", "default"))
        assert state["restartCount"] == 1
        assert state["lastState"]["terminated"]["exitCode"] == 3
        assert state["state"]["waiting"]["message"].startswith(f"back-off {spelt} restarting failed container=c")
        assert len(ground.processes) == 2
        assert "BackOff" in reasons(east)


@on_loop
async def test_a_pod_that_runs_once_succeeds_or_fails(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        for name, code, phase in (("good", 0, "Succeeded"), ("bad", 7, "Failed")):
            east.api.create("pods", pod(name, "shell:v1", restartPolicy="Never"))
            await east.until("pods", lambda pods: all(item["status"]["phase"] != "Pending" for item in pods))
            ground.processes[-1].end(code)
            await east.until("pods", has_phase(name, phase))
        assert not ground.pods


@on_loop
async def test_init_containers_run_in_order_before_the_others(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        init = [{"name": name, "image": "shell:v1", "args": [name]} for name in ("first", "second")]
        east.api.create("pods", pod("p", "shell:v1", container={"args": ["main"]}, initContainers=init))
        for number in (1, 2):
            await east.until("pods", partial(has_started, ground, number))
            ground.processes[-1].end(0)
        await east.running(1)
        assert [item.spec.argv[1] for item in ground.processes if item.spec] == ["first", "second", "main"]


@on_loop
async def test_deletion_terminates_gracefully_and_removes_everything(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        east.api.create("pods", pod("p", "shell:v1"))
        await east.running(1)
        directory = next((tmp_path / "n1" / "pods").iterdir())
        east.api.delete("pods", "p", "default")
        await east.until("pods", lambda pods: not pods)
        assert ground.processes[0].signals == [signal.SIGTERM]
        assert not ground.pods
        assert not directory.exists()
        assert "Killing" in reasons(east)


@on_loop
async def test_a_stubborn_process_is_killed_at_the_end_of_its_grace(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        ground.starting = lambda spec: FakeProcess(spec, stubborn=True)
        east.api.create("pods", pod("p", "shell:v1", terminationGracePeriodSeconds=1))
        await east.running(1)
        east.api.delete("pods", "p", "default")
        await east.until("pods", lambda pods: not pods)
        assert ground.processes[0].signals == [signal.SIGTERM, signal.SIGKILL]


@on_loop
async def test_a_forced_deletion_kills_at_once(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        ground.starting = lambda spec: FakeProcess(spec, stubborn=True)
        east.api.create("pods", pod("p", "shell:v1"))
        await east.running(1)
        east.api.delete("pods", "p", "default", grace_period_seconds=0)
        await ground.processes[0].wait()
        assert ground.processes[0].signals == [signal.SIGKILL]


@on_loop
async def test_readiness_and_liveness_follow_exec_probes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        verdicts = {"ready": 1, "alive": 0}
        ground.executing = lambda spec: verdicts[spec.argv[0]]
        probes = {
            name: {"exec": {"command": [word]}, "periodSeconds": 1, "failureThreshold": 1}
            for name, word in (("readinessProbe", "ready"), ("livenessProbe", "alive"))
        }
        east.api.create("pods", pod("p", "shell:v1", container=probes))
        await east.running(1, ready=False)
        await east.until("events", lambda events: any(item["reason"] == "Unhealthy" for item in events))
        assert not is_ready(east.api.get("pods", "p", "default"))
        verdicts["ready"] = 0
        await east.running(1)
        verdicts["alive"] = 1
        await east.until("pods", lambda pods: container_state(pods)["restartCount"] == 1)
        assert ground.processes[0].signals == [signal.SIGTERM]


@on_loop
async def test_a_pod_waits_for_its_secret_and_sees_it_change(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        mounts = [{"name": "v", "mountPath": "/etc/keys"}]
        volumes = [{"name": "v", "secret": {"secretName": "keys"}}]
        east.api.create("pods", pod("p", "shell:v1", container={"volumeMounts": mounts}, volumes=volumes))
        await east.until("events", lambda events: any(item["reason"] == "FailedMount" for item in events))
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "default"}}
        secret["data"] = {"psk": base64.b64encode(b"one").decode()}
        east.api.create("secrets", secret)
        await east.running(1)
        spec = ground.processes[0].spec
        assert spec is not None
        directory = next(mount.source for mount in spec.mounts if mount.target == "/etc/keys")
        assert (directory / "psk").read_bytes() == b"one"
        east.api.patch("secrets", "keys", {"data": {"psk": base64.b64encode(b"two").decode()}}, namespace="default")
        await east.settled()
        assert (directory / "psk").read_bytes() == b"two"
        assert (directory / "psk").readlink() == Path("..data/psk")


@on_loop
async def test_a_missing_config_key_is_a_configuration_error_until_it_appears(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "x"}}}]
        east.api.create("pods", pod("p", "shell:v1", container={"env": env}))
        await east.until("pods", waiting("CreateContainerConfigError"))
        metadata = {"name": "cm", "namespace": "default"}
        east.api.create(
            "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": "1"}}
        )
        await east.running(1)


@on_loop
async def test_host_network_pods_have_the_nodes_address(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        east.api.create("pods", pod("p", hostNetwork=True))
        (found,) = await east.running(1)
        assert found["status"]["podIP"] == "172.16.1.10"


@on_loop
async def test_a_sidecar_starts_first_and_ends_last(tmp_path: Path) -> None:
    async with cluster(tmp_path) as east:
        ground = east.add_node("n1")
        sidecar = {"name": "side", "image": "shell:v1", "args": ["side"], "restartPolicy": "Always"}
        main = {"args": ["main"]}
        east.api.create("pods", pod("p", "shell:v1", container=main, initContainers=[sidecar], restartPolicy="Never"))
        await east.running(1)
        words = [item.spec.argv[1] for item in ground.processes if item.spec]
        assert words == ["side", "main"]
        ground.processes[1].end(0)
        await east.until("pods", lambda pods: pods[0]["status"]["phase"] == "Succeeded")
        assert ground.processes[0].signals == [signal.SIGTERM]


@on_loop
async def test_a_status_write_is_made_once_per_change(tmp_path: Path) -> None:
    async with cluster(tmp_path, nodes=1) as east:
        versions: list[str] = []
        stop = east.api.subscribe("pods", lambda _event, obj: versions.append(obj["status"].get("phase", "")))
        east.api.create("pods", pod("p"))
        await east.running(1)
        await east.settled()
        stop()
        assert len(versions) <= 5
