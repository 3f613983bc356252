"""A drain has those go who are not there for the node's own sake."""

from __future__ import annotations

from typing import Any

from l3conf.plugin.drain import evictable


def pod(name: str, *, owner: str = "", phase: str = "Running", mirror: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "x"}]
    if mirror:
        metadata["annotations"] = {"kubernetes.io/config.mirror": "digest"}
    return {"metadata": metadata, "status": {"phase": phase}}


def test_daemons_static_pods_and_what_has_ended_stay() -> None:
    pods = [
        pod("bare"),
        pod("of-a-deployment", owner="ReplicaSet"),
        pod("daemon", owner="DaemonSet"),
        pod("static", owner="Node", mirror=True),
        pod("done", phase="Succeeded"),
        pod("failed", phase="Failed"),
        pod("not-yet-run", phase="Pending"),
    ]
    assert [each["metadata"]["name"] for each in evictable(pods)] == ["bare", "of-a-deployment", "not-yet-run"]
