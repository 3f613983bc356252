"""Keys are replaced under running traffic, and nobody notices."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, verifies


@verifies("L3-B10")
@pytest.mark.topology("two-clusters")
def test_no_packet_is_lost_while_keys_are_replaced(fresh_lab: Lab) -> None:
    """At one end, then at the other; afterwards nothing that was published before is published any more."""
    with fresh_lab.stream(fresh_lab.pods.workers_across(IPFamily.IPV4)) as stream:
        for cluster in ("east", "west"):
            fresh_lab.rotated(cluster)
            stream.goes_on("W_flow")
    stream.outage_within("O_rekey")
    stream.loses_nothing()
