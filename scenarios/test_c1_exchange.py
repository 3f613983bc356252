"""Members learn of each other."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-C1")
@pytest.mark.topology("two-clusters")
def test_every_member_learns_cluster_and_endpoint_of_every_other(installed_lab: Lab) -> None:
    """With the ranges that the other really has, within the time of joining."""
    installed_lab.eventually_none(
        "members lack objects of others", installed_lab.not_learnt, within="T_join", since=installed_lab.joined_at
    )
