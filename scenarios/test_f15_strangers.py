"""Tunnels carry what members own, and nothing else."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies


@verifies("L3-F15", over_ipv6="L3-G1")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.topology("two-clusters", "v6-only")
def test_what_no_member_owns_does_not_enter_a_tunnel(lab: Lab, family: IPFamily) -> None:
    """Packets to strangers, near to members' ranges and far from them, do not pass between sites."""
    members = every(udp(a, b, family=family) for a, b in lab.pods.across_clusters(family))
    strangers = every(
        udp(pod, stranger, family=family) for pod in lab.pods.having(family) for stranger in lab.strangers(family)
    )
    with lab.wan.capturing() as wan:
        wan.keeps_out_of_tunnels(strangers, control=members)
