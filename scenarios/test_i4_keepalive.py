"""Mappings of NATs are kept alive."""

from __future__ import annotations

from itertools import pairwise

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-I4")
@pytest.mark.topology("nat-one-side")
def test_both_sides_say_connected_before_a_long_silence(quiet_lab: Lab) -> None:
    """What follows is the silence of a connection that stands."""
    quiet_lab.eventually_none("members do not agree", quiet_lab.not_agreed, within="T_fresh")


@verifies("L3-I4")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("nat-one-side")
@pytest.mark.patient("silence")
def test_the_outside_reaches_the_inside_after_a_long_silence(quiet_lab: Lab) -> None:
    """Nobody says a word; the NAT forgets after 30 s; then the first word comes from outside."""
    lifetime = quiet_lab.topology.cluster("east").site.udp_timeout
    inwards = [pair for pair in quiet_lab.pods.workers_across(IPFamily.IPV4) if pair[1].site.cluster == "east"]
    passed, discovery = quiet_lab.long_silence().between("east", "west"), quiet_lab.discovery_ports
    every(udp(client, server) for client, server in inwards).arrives()
    tunnel = [each for each in passed if each.destination_port not in discovery]
    assert max(later.time - earlier.time for earlier, later in pairwise(tunnel)) < lifetime
