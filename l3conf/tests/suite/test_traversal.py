"""Who knows a gateway elsewhere than it is."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from l3conf.plugin.traversal import found_elsewhere

HERE = ip_address("172.16.1.20")


def _endpoint(address: object, cluster: str = "east") -> dict[str, Any]:
    return {"spec": {"cluster_id": cluster, "private_ip": address}}


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([_endpoint("172.16.1.20"), _endpoint("172.16.2.10", "west")], []),
        ([_endpoint("172.16.1.10")], ["west knows east at 172.16.1.10"]),
        ([_endpoint("172.16.1.20"), _endpoint("172.16.1.10")], ["west knows east at 172.16.1.20, 172.16.1.10"]),
        ([], ["west knows east at no Endpoint"]),
        ([_endpoint(None)], ["west knows east at None"]),
        ([_endpoint("fd01:1::a")], []),
        ([_endpoint("fd01:1::a"), _endpoint("172.16.1.10")], ["west knows east at fd01:1::a, 172.16.1.10"]),
    ],
)
def test_a_gateway_is_known_at_one_address_of_the_family_that_is_published(
    held: list[dict[str, Any]], said: list[str]
) -> None:
    assert found_elsewhere("east", HERE, {"west": held}) == said
