"""Mappings of NATs are kept alive."""

from __future__ import annotations

from itertools import pairwise

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-I4")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("nat-one-side")
def test_the_outside_reaches_the_inside_after_a_long_silence(lab: Lab) -> None:
    """Nobody says a word; the NAT forgets after 30 s; then the first word comes from outside."""
    lifetime = lab.topology.cluster("east").site.udp_timeout
    inwards = [pair for pair in lab.pods.workers_across(IPFamily.IPV4) if pair[1].site.cluster == "east"]
    with lab.wan.capturing() as wan:
        lab.idle("W_mapping")
        tunnel = [each for each in wan.between("east", "west") if each.destination_port not in lab.discovery_ports]
        every(udp(client, server) for client, server in inwards).arrives()
    assert max(later.time - earlier.time for earlier, later in pairwise(tunnel)) < lifetime
