"""A detour takes the way that packets for somebody else take, whatever kind of link that is."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from l3conf.plugin.detour import detour

if TYPE_CHECKING:
    from l3conf.expectations import Node
    from l3conf.labs.base import Lab


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"gateway": "240.0.0.2", "dev": "vxlan-tunnel"}, "via 240.0.0.2 dev vxlan-tunnel onlink"),
        ({"dev": "submariner"}, "dev submariner"),
    ],
)
def test_a_link_without_neighbours_has_no_next_hop_and_takes_no_flag_of_one(way: dict[str, str], words: str) -> None:
    said: list[str] = []

    def run(_place: str, argv: list[str], *, timeout: float) -> tuple[int, str, str]:  # noqa: ARG001 - as a ground has it
        said.append(" ".join(argv))
        return 0, json.dumps([way]), ""

    ground, node = cast("Lab", SimpleNamespace(run=run)), cast("Node", SimpleNamespace(place="a@a-1"))
    with detour(ground, node, ip_network("10.3.0.0/16"), ip_address("10.2.0.1")):
        assert said[1] == f"ip -4 route add 10.3.0.0/16 {words} table 7253"
    assert said[-1] == "ip -4 route flush table 7253"
