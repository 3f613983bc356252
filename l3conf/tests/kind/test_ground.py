"""Grounds on a stub engine, a stub kind and stub APIs: whole, partly failing, hanging, interrupted, kept, killed."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.labs.kind import ground as ground_module
from l3conf.labs.kind.settings import KindSettings
from l3conf.tests.kind.conftest import NODE, PROBE
from l3conf.tests.kind.stub_values import Refusal

if TYPE_CHECKING:
    from l3conf.tests.kind.conftest import Bench


def test_a_ground_has_a_network_a_site_clusters_routers_and_an_outsider(bench: Bench) -> None:
    ground = bench.ground()
    ground.stand()
    lab = ground.names.lab
    assert set(bench.engine.networks) == {f"l3conf-{lab}-{name}" for name in ("wan", "east", "west")}
    assert {name.removeprefix(f"l3conf-{lab}-") for name in bench.engine.containers} == {
        *(f"{site}-{node}" for site in ("east", "west") for node in ("control-plane", "worker", "worker2", "router")),
        "broker-control-plane",
        "outsider",
        "outsider-probe",
    }
    east, router = ground.members["east"], bench.engine.containers[f"l3conf-{lab}-east-router"]
    assert [node.gateway for node in east.spec.nodes] == [True, False]
    assert router.networks[f"l3conf-{lab}-east"]["IPAddress"] == "172.16.1.1"
    assert router.networks[f"l3conf-{lab}-wan"]["IPAddress"] == "192.0.2.10"
    assert ground.broker is not None
    assert ground.broker.member_server == "https://192.0.2.2:6443"


def test_images_are_loaded_into_all_nodes_and_known_by_the_name_in_manifests(bench: Bench) -> None:
    bench.engine.images.add("acme/agent:1")
    ground = bench.ground(settings=KindSettings(load_images=("acme/agent:1",)))
    ground.stand()
    loads = [call for call in bench.calls() if call.startswith("load")]
    assert len(loads) == 3
    assert all(f"docker-image {PROBE} acme/agent:1 --name" in call for call in loads)
    tagged = [c for c in bench.engine.commands if c.argv[0] == "ctr"]
    assert {c.argv[-1] for c in tagged} == {"docker.io/l3conf/probe:v1"}
    assert len(tagged) == 7, "a control plane and two workers twice, and the broker's node"


def test_everything_of_ours_bears_the_labels_of_its_lab(bench: Bench) -> None:
    ground = bench.ground()
    ground.stand()
    all_labels = [one.labels for one in bench.engine.containers.values()]
    ours = [labels for labels in all_labels if "io.x-k8s.kind.cluster" not in labels]
    for labels in (*ours, *(one.labels for one in bench.engine.networks.values())):
        assert labels["l3conf.io/lab"] == ground.names.lab
        assert labels["app.kubernetes.io/managed-by"] == "l3conf"


def test_routers_and_nodes_are_told_their_ways(bench: Bench) -> None:
    ground = bench.ground("nat-both-static")
    ground.stand()
    told = {command.container: command.script for command in bench.engine.commands if command.script}
    assert "ip route replace default via 172.16.1.1" in told[ground.names.node("east", 0)]
    routers = [c.script for c in bench.engine.commands if c.container == ground.names.router("east") and c.script]
    assert any("udp dport 4500 dnat to 172.16.1.6" in script for script in routers), "the node that docker gave .6x"


def test_a_ground_is_removed_as_a_whole_and_nothing_else_is(bench: Bench) -> None:
    bench.engine.create_network(
        {"Name": "kind", "IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]}}
    )
    theirs = {"Image": NODE, "Labels": {"io.x-k8s.kind.cluster": "kind"}, "HostConfig": {"NetworkMode": "kind"}}
    bench.engine.create("kind-control-plane", theirs)
    ground = bench.ground()
    ground.stand()
    ground.remove()
    assert set(bench.engine.containers) == {"kind-control-plane"}
    assert set(bench.engine.networks) == {"kind"}


@pytest.mark.parametrize("what", ["create", "half", "load", "get"])
def test_a_cluster_that_cannot_be_made_takes_the_others_with_it(bench: Bench, what: str) -> None:
    ground = bench.ground()
    west = ground.names.cluster("west")
    bench.tell("fail", f"{what} {west}")
    with pytest.raises(LabError, match=r"kind (create|load|get)"):
        ground.stand()
    assert bench.engine.containers == {}
    assert bench.engine.networks == {}


def test_what_kind_said_last_is_in_the_error(bench: Bench) -> None:
    ground = bench.ground()
    bench.tell("fail", f"create {ground.names.cluster('east')}")
    with pytest.raises(LabError, match="the stub was told to fail"):
        ground.stand()


def test_a_kind_that_hangs_is_given_up_and_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l3conf.labs.kind.commands._CREATING", 1.0)
    ground = bench.ground()
    bench.tell("hang", f"create {ground.names.cluster('west')}")
    began = time.monotonic()
    with pytest.raises(LabError, match="kind create cluster has not ended after 1 s"):
        ground.stand()
    assert time.monotonic() - began < 20
    assert bench.engine.containers == {}


def test_an_interrupt_ends_what_is_under_way(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = bench.ground()
    bench.tell("hang", *(f"create {ground.names.cluster(site)}" for site in ("east", "west")))

    def interrupted(*_: object, **__: object) -> object:
        time.sleep(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(ground_module, "wait", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ground.stand()
    assert time.monotonic() - began < 20, "kind would have hung for ten minutes"
    assert bench.engine.containers == {}
    assert bench.engine.networks == {}


def test_nodes_that_never_get_ready_are_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground_module, "_READY_SECONDS", 0.5)
    ground = bench.ground()
    bench.apis.not_ready.add(ground.names.node("west", 1))
    with pytest.raises(LabError, match=f"not Ready after 0.5 s: {ground.names.node('west', 1)}"):
        ground.stand()
    assert bench.engine.containers == {}


def test_a_range_that_the_machine_uses_is_named(bench: Bench) -> None:
    pool = {"Subnet": "172.16.0.0/16", "Gateway": "172.16.0.1"}
    bench.engine.create_network({"Name": "office", "IPAM": {"Config": [pool]}})
    with pytest.raises(MissingPrerequisiteError, match=r"172\.16\.1\.0/24 is taken.*docker network ls"):
        bench.ground().stand()
    assert set(bench.engine.networks) == {"office"}


def test_a_kept_ground_is_used_again_with_new_routers(bench: Bench) -> None:
    settings = KindSettings(keep_clusters=True)
    first = bench.ground(settings=settings)
    first.stand()
    first.loosen()
    kept = {name: one.id for name, one in bench.engine.containers.items()}
    assert kept
    assert not any(name.endswith(("-router", "-outsider")) for name in kept)
    second = bench.ground(settings=settings)
    second.stand()
    assert sum(call.startswith("create") for call in bench.calls()) == 3, "the first made them"
    assert {name: one.id for name, one in bench.engine.containers.items() if name in kept} == kept
    assert second.members["east"].addresses == first.members["east"].addresses


def test_a_ground_of_a_killed_run_is_not_used_again(bench: Bench) -> None:
    settings = KindSettings(keep_clusters=True)
    first = bench.ground(settings=settings)
    first.stand()  # and its run is killed: routers and outsider are still there
    ids = {one.id for one in bench.engine.containers.values()}
    second = bench.ground(settings=settings)
    second.stand()
    assert not ids & {one.id for one in bench.engine.containers.values()}


def test_a_ground_of_another_topology_is_removed_first(bench: Bench) -> None:
    bench.ground("two-clusters").stand()
    other = bench.ground("nat-both-static")
    other.stand()
    assert {re.split("-", name)[1] for name in bench.engine.containers} == {other.names.lab}


def test_what_another_machine_made_is_left_alone_and_said(bench: Bench) -> None:
    labels = {
        "app.kubernetes.io/managed-by": "l3conf",
        "l3conf.io/lab": "0a1b2c3d",
        "l3conf.io/role": "router",
        "l3conf.io/owner": "another-machine:boot:1",
    }
    bench.engine.create(
        "l3conf-0a1b2c3d-east-router", {"Image": NODE, "Labels": labels, "HostConfig": {"NetworkMode": "host"}}
    )
    bench.ground().stand()
    assert "l3conf-0a1b2c3d-east-router" in bench.engine.containers
    assert any("lab 0a1b2c3d: made by another-machine, and may live" in line for line in bench.said)


def test_what_cannot_be_removed_is_named_and_the_rest_is_removed(bench: Bench) -> None:
    ground = bench.ground()
    ground.stand()
    stuck = ground.names.node("east", 0)

    def refuse(method: str, path: str) -> Refusal | None:
        held = f"removal of container {stuck} is already in progress"
        return Refusal(409, held) if method == "DELETE" and path == f"/containers/{stuck}" else None

    bench.engine.refuse = refuse
    with pytest.raises(LabError, match=f"{stuck}.*already in progress.*l3conf clean --on kind"):
        ground.remove()
    assert set(bench.engine.containers) == {stuck}
    assert set(bench.engine.networks) == {ground.names.cluster("east")}, "a network goes when nobody is on it"


def test_progress_tells_which_cluster_is_at_what(bench: Bench) -> None:
    bench.ground().stand()
    assert "east: Joining worker nodes" in bench.said
    assert "west: waiting for nodes" in bench.said
    assert "broker: ready" in bench.said


def test_clusters_are_made_side_by_side(bench: Bench) -> None:
    ground = bench.ground()
    running: set[str] = set()
    most = 0
    lock = threading.Lock()

    def tell(line: str) -> None:
        nonlocal most
        site, _, step = line.partition(": ")
        with lock:
            if step.startswith("Ensuring node image"):
                running.add(site)
            if step == "loading images":
                running.discard(site)
            most = max(most, len(running))

    ground.progress = tell
    ground.stand()
    assert most > 1
