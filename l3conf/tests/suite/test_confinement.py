"""Writing in clusters of others."""

from __future__ import annotations

import pytest

from l3conf.plugin.confinement import writes_elsewhere

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
