"""Clear packets from outside cannot pose as a remote cluster."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-B8", over_ipv6="L3-G1")
@needs(Capability.RAW_PACKETS)
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_clear_packets_that_claim_a_remote_pod_are_dropped(lab: Lab, family: IPFamily) -> None:
    """The same packet with the outsider's own address arrives, so it is the claim that is refused."""
    forged = every(
        udp(lab.outsider, victim, claiming=claimed.address(family), family=family)
        for claimed, victim in lab.pods.across_clusters(family)
    )
    honest = every(
        udp(lab.outsider, pod, claiming=lab.outsider.address(family), family=family) for pod in lab.pods.having(family)
    )
    forged.must_not_arrive(control=honest)
