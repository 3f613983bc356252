"""Messages of address discovery cannot be forged or repeated to divert a tunnel."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, needs, verifies


@verifies("L3-B12")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.topology("two-clusters")
def test_recorded_discovery_sent_again_from_elsewhere_moves_no_tunnel(fresh_lab: Lab) -> None:
    """As it was, from the outsider's own address, and altered: nothing is lost, and no tunnel packet goes there."""
    recorded = fresh_lab.recorded_discovery()
    with (
        fresh_lab.wan.capturing() as wan,
        fresh_lab.stream(fresh_lab.pods.workers_across(IPFamily.IPV4)) as stream,
    ):
        fresh_lab.outsider_repeats(recorded)
        stream.goes_on("W_react")
        diverted = fresh_lab.diverted(wan)
    stream.loses_nothing()
    assert diverted == []
