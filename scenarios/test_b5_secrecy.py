"""Between sites nothing of a pod's packet can be read."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, icmp, needs, tcp, udp, verifies


@verifies("L3-B5")
@needs(Capability.WAN_CAPTURE)
@pytest.mark.topology("two-clusters")
def test_neither_payload_nor_inner_addresses_are_readable_on_the_wan(lab: Lab) -> None:
    """Of any protocol, small or large; clear packets from outside are found in the same capture."""
    pairs = lab.pods.across_clusters(IPFamily.IPV4)
    packets = every(ask(a, b, size=size) for a, b in pairs for ask in (tcp, udp, icmp) for size in (64, 1200))
    packets.is_unreadable(control=every(udp(lab.outsider, pod) for pod in lab.pods.all))
