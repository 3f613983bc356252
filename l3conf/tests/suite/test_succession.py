"""Who speaks for a cluster, as read from Endpoints."""

from __future__ import annotations

import pytest

from l3conf.plugin.succession import not_followed


def _endpoint(hostname: str, cluster: str = "east") -> dict[str, object]:
    return {"spec": {"cluster_id": cluster, "hostname": hostname}}


@pytest.mark.parametrize(
    ("held", "lines"),
    [
        ([_endpoint("east-2")], []),
        ([_endpoint("east-2"), _endpoint("west-1", "west")], []),
        ([_endpoint("east-1")], ["broker holds of east the Endpoints of east-1"]),
        ([_endpoint("east-1"), _endpoint("east-2")], ["broker holds of east the Endpoints of east-1, east-2"]),
        ([_endpoint("east-2"), _endpoint("east-3")], ["broker holds of east the Endpoints of east-2, east-3"]),
        ([], ["broker holds of east the Endpoints of nobody"]),
        ([{}], ["broker holds of east the Endpoints of nobody"]),
    ],
)
def test_a_gateway_is_followed_where_one_endpoint_of_another_node_is_held(
    held: list[dict[str, object]], lines: list[str]
) -> None:
    assert not_followed("east", "east-1", {"broker": held}) == lines
