"""Each pair of members uses a cable driver that both have; a pair without one says so, and stays as it is."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-D6")
@pytest.mark.topology("mixed-drivers")
@pytest.mark.parametrize("via", list(Via))
def test_pairs_with_a_common_driver_connect_and_others_do_not(installed_lab: Lab, via: Via) -> None:
    """One member speaks both drivers, two speak one each: it reaches both, they do not reach each other."""
    table = across_clusters(installed_lab.expected(), via, Protocol.TCP, Protocol.UDP)
    installed_lab.reachability(table).holds(within="T_join", started=installed_lab.joined_at)


@verifies("L3-D6")
@pytest.mark.topology("mixed-drivers")
def test_a_pair_without_a_common_driver_says_so(lab: Lab) -> None:
    """Both ends name the reason."""
    lab.eventually_none("a mismatch is not said", lab.mismatches_not_said, within="T_refuse", since=lab.joined_at)


@verifies("L3-D6")
@pytest.mark.topology("mixed-drivers")
@pytest.mark.patient("mismatches")
def test_a_pair_without_a_common_driver_does_not_flap(lab: Lab) -> None:
    """Nothing about the pair has changed since the others are connected."""
    assert lab.mismatches_that_change() == []
