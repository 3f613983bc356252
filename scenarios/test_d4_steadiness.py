"""Where nothing happens, nothing happens."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-D4")
@verifies("L3-E3")
@pytest.mark.topology("two-clusters")
def test_reconciling_loses_no_packet_and_denies_no_connection(lab: Lab) -> None:
    """Several periods of whatever agents do all the time."""
    with lab.watched() as watch, lab.stream(lab.pods.across_clusters(lab.families[0])) as stream:
        stream.goes_on("W_steady")
    stream.loses_nothing()
    assert watch.interruptions("east", "west") == []
