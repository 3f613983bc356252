"""Which workloads are agents, and when pods came and went quickly enough to prove anything."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.errors import LabError
from l3conf.plugin.agents import find_agents
from l3conf.plugin.pod_churn import Churn

CREDENTIAL = "/var/run/secrets/kubernetes.io/serviceaccount"


class FakeAPI:
    """Answers lists; a workload selects the pods that carry its name as ``app``."""

    def __init__(self, workloads: dict[str, tuple[str, str, list[str]]]) -> None:
        """By name: namespace, mount path, nodes."""
        self.workloads = workloads

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        if path.endswith("/daemonsets"):
            return [
                {
                    "metadata": {"name": name, "namespace": namespace},
                    "spec": {"selector": {"matchLabels": {"app": name}}},
                }
                for name, (namespace, _, _) in self.workloads.items()
            ]
        if not path.endswith("/pods"):
            return []
        name = query["labelSelector"].removeprefix("app=")
        _, mount, nodes = self.workloads[name]
        return [
            {
                "metadata": {"uid": f"{name}-{node}", "name": name},
                "spec": {"nodeName": node, "containers": [{"volumeMounts": [{"mountPath": mount}]}]},
            }
            for node in nodes
        ]


def test_what_has_no_credential_or_is_not_the_implementations_is_no_agent() -> None:
    api: Any = FakeAPI(
        {
            "gateway": ("operator", CREDENTIAL, ["n1"]),
            "cables": ("operator", "/run/cables", ["n1"]),
            "routes": ("operator", CREDENTIAL, ["n1", "n2"]),
            "idle": ("operator", CREDENTIAL, []),
            "dns": ("kube-system", CREDENTIAL, ["n2"]),
        }
    )
    found = find_agents(api)
    assert [(agent.name, sorted(agent.nodes)) for agent in found] == [("gateway", ["n1"]), ("routes", ["n1", "n2"])]
    assert found[0].path == "/apis/apps/v1/namespaces/operator/daemonsets/gateway"


@pytest.mark.parametrize(("took", "ran"), [(16.0, 100), (10.0, 40)])
def test_a_churn_that_was_slow_or_hardly_took_place_proves_nothing(took: float, ran: int) -> None:
    Churn(planned=10.0, took=14.0, came=100, ran=60).must_have_kept_pace()
    with pytest.raises(LabError, match="pods"):
        Churn(planned=10.0, took=took, came=100, ran=ran).must_have_kept_pace()
