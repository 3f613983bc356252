"""When a lab counts as connected: packets were seen to cross between all members that shall be connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf import oracle
from l3conf.observation import ORDINARY, Protocol

if TYPE_CHECKING:
    from l3conf.plugin.lab import Lab


def await_connected(lab: Lab) -> None:
    """Wait until every pod reaches every pod of the other members, over every protocol.

    Members with global addresses are reached at these: at that of the Service over their pods, which is exported for
    good. If that never comes, but some packets cross between all of them, the lab is good enough to ask the rows what
    exactly is missing. If nothing crosses between two members, no row has anything to say.
    """
    expected = lab.expected()
    own = oracle.across_clusters(expected, oracle.Via.POD, *ORDINARY)
    asked = oracle.whoever_asks(own | oracle.by_global_address(expected, Protocol.TCP, Protocol.UDP))
    table = {cell: want for cell, want in asked.items() if want.reachable}
    wanted = {(cell.client.cluster, cell.server.cluster) for cell in table}
    if not wanted:
        pytest.skip("this topology has no clusters that the implementation has to connect")
    lab.global_addresses.services(within="T_join", started=lab.joined_at)
    reachability = lab.reachability(table)
    try:
        reachability.holds(within="T_join", started=lab.joined_at)
    except AssertionError:
        crossed = {(cell.client.cluster, cell.server.cluster) for cell in reachability.reached}
        if not wanted <= crossed:
            raise
        lab.run.note("only some packets cross: the rows will say which")
