"""Another gateway node takes over: when the active one dies, and when it is relieved."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, every, needs, udp, verifies


@verifies("L3-K5")
@needs(Capability.NODE_POWER)
@pytest.mark.topology("two-gateways")
def test_another_gateway_node_takes_over_when_the_active_one_loses_power(fresh_lab: Lab) -> None:
    """Packets flow again both ways within the budget; open connections to pods and to Services stay open."""
    family = fresh_lab.families[0]
    flows, gateways = fresh_lab.pods.workers_across(family), fresh_lab.succession("east")
    fresh_lab.idle("W_settle")
    with gateways.service() as service:
        sessions = gateways.sessions(family, service)
        with fresh_lab.stream(flows) as stream, gateways.crashed():
            every(udp(client, server) for client, server in flows).arrives(within="T_failover")
            sessions.still_work()
    stream.outage_within("O_failover")


@verifies("L3-K5")
@pytest.mark.topology("two-gateways")
def test_a_gateway_is_relieved_under_traffic(fresh_lab: Lab) -> None:
    """Its node loses the label of gateway nodes, and gets it back: ten flows of 200 Hz and no connection notice."""
    family, gateways = fresh_lab.families[0], fresh_lab.succession("east")
    fresh_lab.idle("W_settle")
    with gateways.service() as service, fresh_lab.stream(gateways.pairs(family), rate=200) as stream:
        sessions = gateways.sessions(family, service)
        with gateways.relieved() as node:
            fresh_lab.eventually_none("not relieved", lambda: gateways.not_followed(node), within="T_failover")
            stream.goes_on("W_loss")
            sessions.still_work()
        stream.goes_on("W_react")
    stream.outage_within("O_move")
