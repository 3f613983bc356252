"""Agents that cannot stay up take nobody down."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, every, needs, udp, verifies


@verifies("L3-K8")
@needs(Capability.AGENT_FAULTS)
@pytest.mark.topology("two-gateways")
def test_agents_in_a_crash_loop_take_no_connection_down(fresh_lab: Lab) -> None:
    """Those on the active gateway node, for longer than any lease: kernels forward, or another gateway does."""
    flows, gateways = fresh_lab.pods.workers_across(fresh_lab.families[0]), fresh_lab.succession("east")
    fresh_lab.idle("W_settle")
    with fresh_lab.stream(flows) as stream, gateways.crash_looping():
        stream.goes_on("W_away")
        every(udp(client, server) for client, server in flows).arrives(within="T_probe")
    stream.outage_within("O_move")
