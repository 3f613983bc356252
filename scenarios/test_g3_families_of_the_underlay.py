"""One family travels inside the other where the underlay has no more than one."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-G3")
@pytest.mark.topology("mixed-families", "mixed-families-v6")
@pytest.mark.parametrize("via", list(Via))
def test_both_families_cross_an_underlay_that_has_one(lab: Lab, family: IPFamily, via: Via) -> None:
    """Between pods of every placement, and to Services."""
    lab.reachability(across_clusters(lab.expected(family), via, Protocol.TCP, Protocol.UDP)).holds()
