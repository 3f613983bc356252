"""The address that a gateway advertises can be chosen."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies

FAMILY = IPFamily.IPV4


@verifies("L3-C7")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("two-clusters")
def test_members_learn_and_try_the_address_that_the_operator_wrote_on_the_node(fresh_lab: Lab) -> None:
    """It is the outsider's, so it never answers: packets go on by the address that does."""
    chosen = fresh_lab.outsider.address(FAMILY)
    with fresh_lab.wan.capturing() as wan, fresh_lab.annotated("east", {"public-ip": f"ipv4:{chosen}"}):
        fresh_lab.eventually_none(
            "members know another address", lambda: fresh_lab.advertised_otherwise("east", chosen), within="T_join"
        )
        fresh_lab.eventually_none(
            "nothing was sent there",
            lambda: [] if chosen in {packet.destination for packet in wan.packets()} else ["no packet"],
            within="T_join",
        )
        every(udp(client, server) for client, server in fresh_lab.pods.workers_across(FAMILY)).arrives()
