"""Members with different families connect on those that they share."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-G5")
@pytest.mark.topology("mixed-membership")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_in_every_family_that_their_clusters_share(lab: Lab, via: Via) -> None:
    """One cluster has IPv4, one has both, one has IPv6."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()


@verifies("L3-G5")
@pytest.mark.topology("mixed-membership")
def test_members_that_share_no_family_are_told_so(lab: Lab) -> None:
    """By the reason IPFamilyMismatch, at both ends, and by no claim of a connection."""
    lab.eventually_none(
        "a mismatch is not named",
        lambda: lab.not_refused("east", "north", reason="IPFamilyMismatch"),
        within="T_refuse",
    )
