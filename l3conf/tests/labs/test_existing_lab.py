"""Two emulated clusters that are given only as contexts of a kubeconfig, with exactly the documented rights."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from l3conf.adapter import HookRequest, HookRunner
from l3conf.adapter.images import resolved_images, visible_directories
from l3conf.labs.emulated import EmulatedLab
from l3conf.labs.existing.objects import LEASE, micro_time
from l3conf.labs.existing.rights import CLUSTER_ROLE, job_text, roles
from l3conf.model.few_nodes import with_few_nodes
from l3conf.model.implementation import EmulatedImage, Verb
from l3conf.plugin.cluster_api import MERGE_PATCH, ClusterAPI
from l3conf.spec.files import load_implementation, load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
IMPLEMENTATION = ROOT / "reference_impl" / "impl.yaml"
PATIENCE = 10.0
RUN = 300.0
"""Seconds for one run of the program; far beyond what it takes on a busy machine."""
AN_HOUR = dt.timedelta(hours=1)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_GRANTED, _POWERLESS = "granted", "powerless"

pytestmark = [pytest.mark.xdist_group("existing-clusters"), pytest.mark.timeout(4 * RUN)]


@dataclass(slots=True)
class Clusters:
    """Clusters that l3conf is told of by kubeconfigs alone."""

    lab: EmulatedLab
    folder: Path

    def api(self, cluster: str) -> contextlib.closing[ClusterAPI]:
        access = {**self.lab.clusters, "broker": self.lab.broker}[cluster]
        return contextlib.closing(ClusterAPI(cluster, access.kubeconfig, timeout=PATIENCE))

    def namespaces(self) -> set[str]:
        found = set()
        for name in self.lab.clusters:
            with self.api(name) as api:
                found |= {f"{name}/{obj['metadata']['name']}" for obj in api.items("/api/v1/namespaces")}
        return found

    def of_runs(self) -> set[str]:
        return {name for name in self.namespaces() if "/l3conf-" in name}

    def command(self, *words: str, user: str = _GRANTED) -> list[str]:
        kubeconfig = str(self.folder / f"{user}.yaml")
        return [sys.executable, "-m", "l3conf.cli.main", *words, "--contexts", "east,west", "--kubeconfig", kubeconfig]

    def run(self, *words: str, user: str = _GRANTED) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words, user=user), capture_output=True, text=True, timeout=RUN, cwd=ROOT, check=False
        )

    def about(self, *rows: str) -> list[str]:
        return [*_about(*rows), "--broker-context", "broker", "--probe-image", "l3conf/probe-agent:v1"]

    def installing(self, *rows: str) -> list[str]:
        ranges = ("east=10.1.0.0/16", "west=10.2.0.0/16"), ("east=10.101.0.0/16", "west=10.102.0.0/16")
        words = [word for given in ranges[0] for word in ("--pod-cidrs", given)]
        words += [word for given in ranges[1] for word in ("--service-cidrs", given)]
        hooks = ["--hook-kubeconfig", str(self.folder / "admin.yaml"), "--broker-server", self.lab.broker.member_server]
        return [*self.about(*rows), *words, *hooks]


def _about(*rows: str) -> list[str]:
    # A busy machine misses deadlines that are the implementation's; what is tested here is the ground.
    return ["run", *rows, "--on", "existing", "--impl", str(IMPLEMENTATION), "--stretch", "20"]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    implementation = load_implementation(IMPLEMENTATION)
    topology = with_few_nodes(load_topology(ROOT / "topologies" / "two-clusters.yaml"))
    suite = EmulatedImage(
        name="ghcr.io/l3conf/l3conf:*", command=("sh",), env={"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    )
    images, visible = (*resolved_images(implementation), suite), visible_directories(implementation)
    lab = EmulatedLab.start(topology, images=images, visible=visible, serves_on_nodes=False)
    try:
        clusters = Clusters(lab, tmp_path_factory.mktemp("kubeconfigs"))
        write_kubeconfigs(clusters)
        yield clusters
    finally:
        lab.close()


def write_kubeconfigs(clusters: Clusters) -> None:
    """Write the administrator's kubeconfig, that of a granted account and that of one without rights."""
    users: dict[str, list[dict[str, Any]]] = {"admin": [], _GRANTED: [], _POWERLESS: []}
    places = []
    for name, access in {**clusters.lab.clusters, "broker": clusters.lab.broker}.items():
        own = yaml.safe_load(access.kubeconfig.read_text())
        places.append({"name": name, "cluster": own["clusters"][0]["cluster"]})
        users["admin"].append({"name": name, "user": own["users"][0]["user"]})
        with clusters.api(name) as api:
            grant(api)
            for account in (_GRANTED, _POWERLESS):
                users[account].append({"name": name, "user": {"token": token(api, account)}})
    contexts = [{"name": one["name"], "context": {"cluster": one["name"], "user": one["name"]}} for one in places]
    for account, entries in users.items():
        config = {"apiVersion": "v1", "kind": "Config", "clusters": places, "contexts": contexts, "users": entries}
        (clusters.folder / f"{account}.yaml").write_text(yaml.safe_dump(config))


def grant(api: ClusterAPI) -> None:
    """Do what ``l3conf rights`` says, and nothing else."""
    for role in roles():
        assert api.request("POST", f"{_RBAC}/clusterroles", body=role).ok
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "l3conf"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CLUSTER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": _GRANTED, "namespace": "default"}],
    }
    assert api.request("POST", f"{_RBAC}/clusterrolebindings", body=binding).ok


def token(api: ClusterAPI, account: str) -> str:
    path = "/api/v1/namespaces/default/serviceaccounts"
    made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}
    assert api.request("POST", path, body=made).ok
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    return str(api.request("POST", f"{path}/{account}/token", body=asked).body["status"]["token"])


def test_a_dry_run_prints_every_object_and_makes_none(clusters: Clusters) -> None:
    before = clusters.namespaces()
    done = clusters.run(*clusters.installing("L3-F1"), "--dry-run")
    assert done.returncode == 0, done.stderr
    objects = [obj for obj in yaml.safe_load_all(done.stdout) if obj]
    kinds = [obj["kind"] for obj in objects]
    assert [kinds.count(kind) for kind in ("ClusterRole", "Namespace", "RoleBinding", "Pod")] == [2, 2, 2, 4]
    assert "# two-clusters: its scenarios run here" in done.stdout
    assert re.search(r"# .*dual-stack: .*no IPv6", done.stdout)
    assert clusters.namespaces() == before


def test_a_missing_right_is_named_before_anything_is_made(clusters: Clusters) -> None:
    before = clusters.namespaces()
    done = clusters.run(*clusters.installing("L3-F1"), user=_POWERLESS)
    assert done.returncode == 3
    assert "create namespaces" in done.stderr
    assert "bind clusterroles.rbac.authorization.k8s.io/l3conf-own-namespace" in done.stderr
    assert "l3conf rights" in done.stderr
    assert "Traceback" not in done.stderr
    assert clusters.namespaces() == before


def test_a_range_that_nothing_tells_is_asked_for(clusters: Clusters) -> None:
    done = clusters.run(*clusters.about("L3-F1"), "--broker-server", clusters.lab.broker.member_server)
    assert done.returncode == 3, done.stderr
    assert "--service-cidrs east=CIDR" in done.stderr


def test_rows_pass_with_exactly_the_documented_rights(clusters: Clusters, tmp_path: Path) -> None:
    before = clusters.namespaces()
    rows = ("L3-A1", "L3-F1", "L3-F2", "L3-F5", "L3-E1", "L3-F6")
    done = clusters.run(*clusters.installing(*rows), "-o", str(tmp_path / "report"))
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    found = {row["id"]: row for row in report["rows"] if row["id"] in rows}
    verdicts = {row: found[row]["verdict"] for row in rows}
    assert verdicts == {
        **dict.fromkeys(("L3-A1", "L3-F1", "L3-F2", "L3-F5"), "pass"),
        **dict.fromkeys(("L3-E1", "L3-F6"), "untestable"),
    }, done.stdout[-3000:]
    assert "wan-faults" in found["L3-E1"]["reason"]
    assert "--host-network" in found["L3-F6"]["reason"]
    assert report["run"]["lab"] == "existing"
    assert report["harnessErrors"] == []
    assert clusters.namespaces() == before, "neither the run's own nor the implementation's objects are left"


@pytest.fixture(scope="module")
def installed(clusters: Clusters, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have the implementation stand already, as its operators installed it."""
    hooks = HookRunner(load_implementation(IMPLEMENTATION), log_directory=tmp_path_factory.mktemp("logs"))
    work = tmp_path_factory.mktemp("work")
    hooks.run(Verb.DEPLOY, HookRequest(lab=clusters.lab, work_directory=work))
    for cluster in clusters.lab.clusters:
        hooks.run(Verb.JOIN, HookRequest(lab=clusters.lab, work_directory=work, cluster=cluster))


@pytest.mark.usefixtures("installed")
def test_what_stands_already_is_tested_as_it_is(clusters: Clusters, tmp_path: Path) -> None:
    before = clusters.namespaces()
    rows = ("L3-F6", "L3-F7", "L3-B1")
    words = (*clusters.about(*rows), "--installed", "--host-network")
    done = clusters.run(*words, "-o", str(tmp_path / "report"))
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    found = {row["id"]: row for row in report["rows"] if row["id"] in rows}
    verdicts = {row: found[row]["verdict"] for row in rows}
    assert verdicts == {
        "L3-F6": "pass",
        **dict.fromkeys(("L3-F7", "L3-B1"), "untestable"),
    }, done.stdout[-3000:]
    said = [test["message"] for test in found["L3-F7"]["tests"]]
    assert any("before the implementation" in message for message in said), (
        "said in a lab of its own, which took the place of the first"
    )
    assert not list((tmp_path / "report").rglob("*-deploy.log")), "no hook was called"
    assert clusters.namespaces() == before


@pytest.mark.usefixtures("installed")
def test_a_pod_inside_a_cluster_runs_it_and_hands_out_its_report(clusters: Clusters, tmp_path: Path) -> None:
    """The pod of the Job, which is all of it that this API server has not: it serves no ``batch``."""
    account, binding, job = yaml.safe_load_all(job_text())
    arguments = [*clusters.about("L3-F5")[1:], "--installed", "--contexts", "east,west"]
    told = ["run", *arguments, "--kubeconfig", "/etc/l3conf-kubeconfig/config"]
    pod = pod_of(job, " ".join(told).replace(str(IMPLEMENTATION), "/etc/l3conf/impl.yaml"))
    with clusters.api("east") as api:
        for obj in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "l3conf"}},
            account,
            of_namespace("ConfigMap", "l3conf-implementation", data={"impl.yaml": IMPLEMENTATION.read_text()}),
        ):
            api.apply(obj)
        secret = of_namespace("Secret", "l3conf-kubeconfig", stringData={"config": from_inside(clusters)})
        assert api.request("POST", "/api/v1/namespaces/l3conf/secrets", body=secret).ok
        assert api.request("POST", f"{_RBAC}/clusterrolebindings", body=binding).ok
        api.apply(pod)
        path = "/api/v1/namespaces/l3conf/pods/l3conf"
        phase, deadline = "", time.monotonic() + RUN
        while phase not in {"Succeeded", "Failed"} and time.monotonic() < deadline:
            time.sleep(0.2)
            phase = api.get(path)["status"].get("phase", "")
        assert phase == "Succeeded", api.text(f"{path}/log", container="l3conf")
        archive = base64.b64decode(api.text(f"{path}/log", container="report"))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path, filter="data")
    report = json.loads((tmp_path / "report.json").read_text())
    assert {row["id"]: row["verdict"] for row in report["rows"]}["L3-F5"] == "pass"
    assert not clusters.of_runs()


def pod_of(job: dict[str, Any], arguments: str) -> dict[str, Any]:
    spec = job["spec"]["template"]["spec"]
    spec["initContainers"][0]["env"][0]["value"] = arguments
    for container in (*spec["initContainers"], *spec["containers"]):
        # Containers of this lab have a /tmp of their own already, in which the suite may lie: a volume would hide it.
        container["volumeMounts"] = [each for each in container["volumeMounts"] if each["mountPath"] != "/tmp"]  # noqa: S108
    return {"apiVersion": "v1", "kind": "Pod", "metadata": job["metadata"], "spec": spec}


def of_namespace(kind: str, name: str, **content: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "l3conf"}, **content}


def from_inside(clusters: Clusters) -> str:
    """Return the granted kubeconfig as a pod of east needs it: addresses that it reaches, and its own token."""
    config = yaml.safe_load((clusters.folder / f"{_GRANTED}.yaml").read_text())
    servers = {"east": "https://172.16.1.2:6443", "west": "https://172.16.2.2:6443", "broker": "https://192.0.2.2:6443"}
    for one in config["clusters"]:
        one["cluster"]["server"] = servers[one["name"]]
    own = {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
    config["users"] = [{**user, "user": own} if user["name"] == "east" else user for user in config["users"]]
    return str(yaml.safe_dump(config))


@pytest.mark.usefixtures("installed")
def test_a_run_that_is_interrupted_removes_its_own_and_one_that_was_killed_is_cleaned_up_after(
    clusters: Clusters,
) -> None:
    assert not clusters.of_runs()
    with started(clusters, set()) as (killed, left):
        os.killpg(killed.pid, signal.SIGKILL)
    renew(clusters, left, AN_HOUR)  # however long the other runs take here
    young = clusters.run("clean")
    assert young.returncode == 0, young.stderr
    assert young.stdout.count("kept: its run may live") == 2
    with started(clusters, left) as (first, its):
        first.send_signal(signal.SIGINT)
        with started(clusters, left | its) as (second, _):
            second.send_signal(signal.SIGTERM)
            second.wait(RUN)
        first.wait(RUN)
    assert clusters.of_runs() == left
    renew(clusters, left, -AN_HOUR)
    cleaned = clusters.run("clean")
    assert cleaned.stdout.count(": removed") == 2, cleaned.stderr
    assert not clusters.of_runs()


@contextlib.contextmanager
def started(clusters: Clusters, known: set[str]) -> Iterator[tuple[subprocess.Popen[bytes], set[str]]]:
    """Start a run; yield it with its namespaces, once it has made one in each cluster. Those ``known`` are others'."""
    words = clusters.command(*clusters.about("L3-F5"), "--installed")
    env = {**os.environ, "TMPDIR": str(clusters.folder)}  # one that is killed leaves its copies of credentials there
    with subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, start_new_session=True) as run:
        try:
            yield run, await_namespaces(clusters, known)
        except BaseException:
            os.killpg(run.pid, signal.SIGKILL)
            raise


def await_namespaces(clusters: Clusters, known: set[str]) -> set[str]:
    """Return the namespaces of a run once it has claimed one in each cluster."""
    deadline = time.monotonic() + RUN
    while True:
        found = {place for place in clusters.of_runs() - known if is_claimed(clusters, place)}
        if len(found) == len(clusters.lab.clusters):
            return found
        assert time.monotonic() < deadline, "the run made no namespaces"
        time.sleep(0.05)


def renew(clusters: Clusters, places: set[str], ahead: dt.timedelta) -> None:
    """Have a run be heard of so long from now."""
    body = {"spec": {"renewTime": micro_time(dt.datetime.now(dt.UTC) + ahead)}}
    for place in places:
        cluster, namespace = place.split("/")
        with clusters.api(cluster) as api:
            assert api.request("PATCH", lease_of(namespace), body=body, content_type=MERGE_PATCH).ok


def is_claimed(clusters: Clusters, place: str) -> bool:
    cluster, namespace = place.split("/")
    with clusters.api(cluster) as api:
        return api.request("GET", lease_of(namespace)).ok


def lease_of(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}"
