"""When members agree that they are connected, and whether they have said so lately."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.plugin.gateways import UPDATE_TIMESTAMP, not_agreed

EAST, WEST = "172.16.1.10", "172.16.2.10"


def gateway(own: str, peer: str, other: str, *, reported: int, status: str = "connected") -> dict[str, Any]:
    annotations = {UPDATE_TIMESTAMP: str(reported)} if reported else {}
    connection = {"status": status, "endpoint": {"cluster_id": peer, "private_ip": other}}
    return {
        "metadata": {"name": "g", "annotations": annotations},
        "status": {"haStatus": "active", "localEndpoint": {"private_ip": own}, "connections": [connection]},
    }


def members(east: int, west: int, **of_east: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "east": [gateway(EAST, "west", WEST, reported=east, **of_east)],
        "west": [gateway(WEST, "east", EAST, reported=west)],
    }


def test_both_say_that_they_are_connected_to_the_other_s_gateway() -> None:
    assert not_agreed(members(100, 100)) == []
    (line,) = not_agreed(members(100, 100, status="error"))
    assert line.startswith("east says of west: ")


@pytest.mark.parametrize(("east", "west"), [(101, 102), (0, 101), (0, 0)])
def test_what_was_said_after_a_moment_counts_and_so_does_what_has_no_time(east: int, west: int) -> None:
    assert not_agreed(members(east, west), since=100.5) == []


def test_what_was_said_before_a_moment_may_be_about_what_was_before() -> None:
    assert not_agreed(members(97, 101), since=100.5) == ["east has not said anything of west for 4 s"]
