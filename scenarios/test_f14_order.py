"""Packets arrive once, and in an order that TCP does not mistake for loss."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, verifies

TOLERATED = 2
"""Arrivals; a third duplicate acknowledgement means loss to TCP (RFC 5681 section 3.2)."""


@verifies("L3-F14", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "v6-only")
def test_packets_arrive_once_and_in_order(lab: Lab, family: IPFamily) -> None:
    """Between one pair of pods of each pair of clusters, both ways at once."""
    with lab.stream(lab.pods.workers_across(family), rate=500, family=family) as stream:
        stream.goes_on("W_flow")
    stream.duplicates_nothing()
    assert stream.reordering_extent() <= TOLERATED
