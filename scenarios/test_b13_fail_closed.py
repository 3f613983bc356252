"""Without a tunnel there is no traffic, rather than traffic in clear."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-B13")
@needs(Capability.WAN_CAPTURE, Capability.NODE_STATE)
@pytest.mark.topology("two-clusters")
def test_nothing_leaves_in_clear_while_tunnels_are_down(fresh_lab: Lab) -> None:
    """The links of the tunnels are taken down under running pods; afterwards all is as it was."""
    packets = every(udp(a, b) for a, b in fresh_lab.pods.across_clusters(IPFamily.IPV4))
    control = every(udp(fresh_lab.outsider, pod) for pod in fresh_lab.pods.all)
    packets.is_unreadable(control=control, during=fresh_lab.without_cables())
    packets.arrives(within="T_recover")
