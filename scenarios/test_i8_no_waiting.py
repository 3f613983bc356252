"""What cannot be discovered delays nobody else."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-I8")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("chain-of-three")
def test_a_peer_that_can_be_reached_does_not_wait_for_one_that_cannot(fresh_lab: Lab) -> None:
    """While c looks for a in vain, b is connected to it as quickly as ever."""
    b, c = fresh_lab.pods.one_in_each("b", "c")
    with fresh_lab.cut("a", "c"), fresh_lab.cut("c", "a"):
        fresh_lab.rejoined("c")
        every(udp(client, server, family=IPFamily.IPV4) for client, server in ((b, c), (c, b))).arrives(
            within="T_failover"
        )
