"""Without a tunnel there is no traffic, rather than traffic in clear."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, addresses_of, every, needs, payload_of, udp, verifies

ROUNDS = 3
"""How often is sent what need not arrive."""


@verifies("L3-B13")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS, Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
def test_nothing_leaves_in_clear_while_tunnels_are_down(fresh_lab: Lab) -> None:
    """The links of the tunnels are taken down under running pods; afterwards all is as it was."""
    pairs = fresh_lab.pods.across_clusters(IPFamily.IPV4)
    packets = every(udp(a, b) for a, b in pairs)
    headers = [addresses_of(a, b, IPFamily.IPV4) for a, b in pairs]
    with fresh_lab.wan.capturing() as wan, fresh_lab.without_cables():
        sent = [one for _ in range(ROUNDS) for one in packets.observe() if one.nonce]
        wan.must_not_show(*map(payload_of, sent), *headers)
    packets.arrives(within="T_recover")
