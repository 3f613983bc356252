"""Agents that start again find every address where they left it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from l3conf.testing import Budgets, Capability, Lab, Pod, Service, every, needs, udp, verifies


@verifies("L3-H9")
@needs(Capability.AGENT_FAULTS)
@pytest.mark.topology("identical-ranges")
def test_killed_agents_neither_move_an_address_nor_lose_a_packet(fresh_lab: Lab, budgets: Budgets) -> None:
    """All agents of both clusters at once, under flows to pods and to a Service. There are gaps where others were."""
    addresses, (west, east) = fresh_lab.global_addresses, fresh_lab.pods.one_in_each("west", "east")
    with ExitStack() as staying:
        with addresses.egress("east", count=3), addresses.egress("west", count=3):
            in_east, in_west = staying.enter_context(addresses.of_pods(east, west))
        pairs: list[tuple[Pod, Pod | Service]] = [
            (west, in_east),
            (east, in_west),
            (west, addresses.service("east")),
        ]
        every(udp(client, server) for client, server in pairs).arrives(within="T_allocate")
        before = addresses.held()
        with fresh_lab.stream(pairs) as stream:
            restart = fresh_lab.restarted("east", "west")
            stream.goes_on("W_react")
        stream.loses_nothing()
        assert restart.reported_after <= budgets.get("T_restart")
        assert addresses.moved(before) == []
        assert addresses.faults() == []
