"""Marks by which networks tell of congestion survive the way through a tunnel."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies

CODEPOINTS = (0b00, 0b01, 0b10, 0b11)
"""Not-ECT, ECT(1), ECT(0), CE (RFC 3168). Without congestion a tunnel leaves each as it is (RFC 6040 section 4)."""


@verifies("L3-F11", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "v6-only")
def test_packets_arrive_with_the_congestion_marks_that_they_were_sent_with(lab: Lab, family: IPFamily) -> None:
    """Whatever codepoint, in both directions."""
    pairs = lab.pods.workers_across(family)
    every(udp(a, b, family=family, traffic_class=mark) for a, b in pairs for mark in CODEPOINTS).arrives_with_ecn()
