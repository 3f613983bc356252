"""Between sites nothing of a pod's packet can be read."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, addresses_of, every, icmp, needs, payload_of, tcp, udp, verifies


@verifies("L3-B5")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.topology("two-clusters")
def test_neither_payload_nor_inner_addresses_are_readable_on_the_wan(lab: Lab) -> None:
    """Of any protocol, small or large; samples in clear are found in the same capture."""
    pairs = lab.pods.across_clusters(IPFamily.IPV4)
    packets = every(ask(a, b, size=size) for a, b in pairs for ask in (tcp, udp, icmp) for size in (64, 1200))
    headers = [addresses_of(a, b, IPFamily.IPV4) for a, b in pairs]
    with lab.wan.capturing() as wan:
        wan.must_not_show(*map(payload_of, packets.arrives()), *headers)
        assert wan.between("east", "west") != ()
