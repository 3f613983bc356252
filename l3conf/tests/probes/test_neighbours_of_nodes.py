"""Which neighbours of a node count as left behind by somebody."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.probes.node_state.iproute import neighbours

ENTRY: dict[str, Any] = {"dst": "fd01:1::c", "dev": "eth0", "lladdr": "0a:58:ac:10:01:0c"}


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({"state": ["PERMANENT"]}, True),
        ({"state": ["NOARP"], "extern_learn": None}, True),
        ({"state": [], "proxy": None}, True),
        ({"state": ["PERMANENT"], "router": None}, True),
        ({"state": ["REACHABLE"]}, False),
        ({"state": ["STALE"], "router": None}, False),
    ],
    ids=["permanent", "learnt by a daemon", "proxied", "configured as a router", "learnt", "learnt to be a router"],
)
def test_what_the_kernel_learns_by_itself_is_nobodys(more: dict[str, Any], *, counts: bool) -> None:
    assert bool(neighbours([{**ENTRY, **more}])) is counts
