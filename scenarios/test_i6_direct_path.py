"""The direct path is preferred, and status names the address in use."""

from __future__ import annotations

from collections import Counter

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies

FAMILY = IPFamily.IPV4


@verifies("L3-I6")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("nat-one-side")
def test_status_names_the_address_that_packets_really_go_to(lab: Lab) -> None:
    """Whatever the peer's Endpoint says of itself."""
    outwards = [pair for pair in lab.pods.workers_across(FAMILY) if pair[0].site.cluster == "west"]
    with lab.wan.capturing() as wan:
        every(udp(client, server) for client, server in outwards for _ in range(20)).arrives()
        sent = Counter(str(packet.destination) for packet in wan.between("west", "east"))
    using = lab.connection("west", "east").entry
    assert (using["usingIP"], using["usingNAT"]) == (sent.most_common(1)[0][0], True)


@verifies("L3-I6")
@pytest.mark.topology("shared-address")
def test_gateways_that_reach_each_other_privately_do_so(lab: Lab) -> None:
    """Behind one address, the public one would lead around the router's hairpin."""
    lab.eventually_none(
        "the private path is not used", lambda: lab.not_using_private_path("east", "west"), within="T_join"
    )
