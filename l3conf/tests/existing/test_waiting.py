"""Why a probe pod is not ready, in the words of those who know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from l3conf.errors import LabError
from l3conf.labs.existing.waiting import await_ready, why_not

if TYPE_CHECKING:
    from l3conf.plugin.cluster_api import ClusterAPI

UNREADY = {"type": "Ready", "status": "False"}
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
PULLING = {
    "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}
}


class PaperAPI:
    """Shows one state of a pod after another, the last for good."""

    name = "east"

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states = list(states)

    def get(self, path: str) -> dict[str, Any]:
        if not self._states:
            raise LookupError(f"{path} does not exist")
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (PULLING["status"], "ErrImagePull: no such image"),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "Error", "message": ""}}}]}, "Error"),
        (
            {"conditions": [UNREADY | {"reason": "Unschedulable", "message": "0 of 3 nodes"}]},
            "Unschedulable: 0 of 3 nodes",
        ),
        ({"phase": "Failed", "reason": "NodeAffinity"}, "NodeAffinity"),
        (
            {"phase": "Failed", "reason": "SysctlForbidden", "message": "forbidden sysctl"},
            "SysctlForbidden: forbidden sysctl",
        ),
        ({"phase": "Pending"}, "phase Pending"),
        ({}, "phase unknown"),
    ],
)
def test_reasons(status: dict[str, Any], words: str) -> None:
    assert why_not({"status": status}) == words


def test_a_pod_that_gets_ready_is_waited_for() -> None:
    await_ready(cast("ClusterAPI", PaperAPI(PULLING, READY)), "ns", "p", seconds=5.0)


def test_one_that_does_not_is_explained() -> None:
    with pytest.raises(LabError, match=r"east: probe pod ns/p is not ready after 0 s: ErrImagePull: no such image"):
        await_ready(cast("ClusterAPI", PaperAPI(PULLING)), "ns", "p", seconds=0.0)


def test_one_that_is_not_there_is_not_waited_for() -> None:
    with pytest.raises(LabError, match="does not exist"):
        await_ready(cast("ClusterAPI", PaperAPI()), "ns", "p", seconds=5.0)
