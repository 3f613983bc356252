"""What an eavesdropper recorded is worth nothing."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, icmp, needs, verifies


@verifies("L3-B9")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.topology("two-clusters")
def test_tunnel_packets_that_are_sent_again_are_dropped(lab: Lab) -> None:
    """Clear packets of the same recording arrive a second time, those of the tunnel do not."""
    # Echo requests: their checksum is whole where packets are captured, inside a tunnel too.
    packets = every(icmp(a, b) for a, b in lab.pods.across_clusters(IPFamily.IPV4))
    packets.is_not_replayable(control=every(icmp(lab.outsider, pod) for pod in lab.pods.all))
