"""Writing in clusters of others."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import yaml

from l3conf.errors import LabError, LabIncapableError
from l3conf.labs.existing.rights import CLUSTER_ROLE, roles
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.plugin.confinement import READABLE, reads_elsewhere, writes_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OWN = "l3conf-0a1b2c3d"


@pytest.mark.parametrize(
    ("method", "path", "body", "elsewhere"),
    [
        ("GET", "/api/v1/secrets", None, False),
        ("POST", f"/api/v1/namespaces/{OWN}/pods", {}, False),
        ("DELETE", f"/apis/submariner.io/v1/namespaces/{OWN}/clusters/x", None, False),
        ("POST", f"/api/v1/namespaces/{OWN}-hosts/pods", {}, False),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": OWN}}, False),
        ("DELETE", f"/api/v1/namespaces/{OWN}", None, False),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}, False),
        ("POST", f"/api/v1/namespaces/{OWN}x/pods", {}, True),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "l3conf-stored"}}, True),
        ("POST", "/api/v1/namespaces", {"metadata": {"generateName": OWN}}, True),
        ("POST", "/api/v1/namespaces", None, True),
        ("DELETE", "/api/v1/namespaces/production", None, True),
        ("PATCH", "/api/v1/nodes/n1", {}, True),
        ("PUT", "/apis/submariner.io/v1/namespaces/submariner-operator/endpoints/x", {}, True),
        ("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x", None, True),
    ],
)
def test_only_what_is_the_runs_own_may_be_written(method: str, path: str, body: object, *, elsewhere: bool) -> None:
    assert writes_elsewhere(method, path, body, {}, OWN) is elsewhere


def test_what_the_server_does_not_keep_changes_nothing() -> None:
    assert not writes_elsewhere("PATCH", "/api/v1/nodes/n1", {}, {"dryRun": "All"}, OWN)


@pytest.mark.parametrize(
    ("path", "elsewhere"),
    [
        ("/version", False),
        ("/apis", False),
        ("/api/v1", False),
        ("/apis/multicluster.x-k8s.io/v1alpha1", False),
        ("/api/v1/nodes", False),
        ("/api/v1/namespaces/production", False),
        ("/apis/submariner.io/v1/endpoints", False),
        ("/apis/submariner.io/v1/namespaces/submariner-operator/endpoints/x", False),
        (f"/api/v1/namespaces/{OWN}/pods/x/log", False),
        (f"/api/v1/namespaces/{OWN}-hosts/pods", False),
        ("/api/v1/namespaces/kube-system/configmaps/kubeadm-config", False),
        ("/api/v1/pods", True),
        ("/api/v1/events", True),
        ("/api/v1/secrets", True),
        ("/api/v1/namespaces/production/pods/x/log", True),
        ("/api/v1/namespaces/kube-system/configmaps/other", True),
        ("/apis/apps/v1/daemonsets", True),
        ("/apis/apps/v1/namespaces/production/deployments", True),
        (f"/api/v1/namespaces/{OWN}x/pods", True),
    ],
)
def test_what_others_have_is_not_read_even_by_an_administrator(path: str, *, elsewhere: bool) -> None:
    assert reads_elsewhere("GET", path, OWN) is elsewhere
    assert not reads_elsewhere("POST", path, OWN), "that is writing"


def test_a_run_reads_what_its_roles_let_it_read_and_no_more() -> None:
    """Whoever has more rights comes to the same verdicts."""
    (role,) = (each for each in roles() if each["metadata"]["name"] == CLUSTER_ROLE)
    granted = {
        resource
        for rule in role["rules"]
        if "submariner.io" not in rule["apiGroups"] and {"get", "list"} & {*rule["verbs"]}
        for resource in rule["resources"]
    }
    readable = {path.split("/")[-2 if "kubeadm" in path else -1] for path in READABLE}
    assert readable == granted


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.request("DELETE", "/api/v1/namespaces/production"),
        lambda api: api.items("/api/v1/pods"),
        lambda api: api.text("/api/v1/namespaces/production/pods/x/log"),
        lambda api: next(api.watch("/api/v1/secrets", threading.Event())),
    ],
)
def test_a_confined_client_does_not_even_ask(tmp_path: Path, ask: Callable[[ClusterAPI], object]) -> None:
    """Nobody listens at the server's address: asking would be another error."""
    content = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "an administrator's"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(content))
    with closing(ClusterAPI("east", kubeconfig, timeout=1.0, namespace=OWN, confined=True)) as api:
        with pytest.raises(LabIncapableError, match="not this run's own"):
            ask(api)
        with pytest.raises(LabError, match="does not answer"):
            api.items("/api/v1/nodes")
