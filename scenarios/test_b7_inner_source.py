"""A member's packets come from what the member announced, or not at all."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-B7")
@needs(Capability.RAW_PACKETS, Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
def test_a_peer_cannot_send_from_what_it_did_not_announce(lab: Lab) -> None:
    """Straight into its tunnel: with the source of a pod of its own it arrives, with another's it does not."""
    family = IPFamily.IPV4
    outsider = lab.outsider.address(family)
    for gateway, victim in lab.gateways_across(family):
        tunnel = lab.tunnel_device(gateway, victim)
        own = lab.pods.of(gateway.site.cluster)[0].address(family)
        others = (outsider, *(pod.address(family) for pod in lab.pods.of(victim.site.cluster)))
        forged = every(udp(gateway, victim, claiming=other, device=tunnel) for other in others)
        forged.must_not_arrive(control=udp(gateway, victim, claiming=own, device=tunnel))
