"""What is wanted and what is found are written by different doors."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, sample, verifies


@verifies("L3-A4")
@pytest.mark.topology("two-clusters")
def test_status_is_written_through_its_own_door_alone(installed_lab: Lab) -> None:
    """For every kind that has a specification and a status; there is one, for members have to be judged somewhere."""
    for resources in installed_lab.resources:
        kinds = [kind for kind in ("Cluster", "Endpoint", "Gateway", "RouteAgent") if resources.has_both(kind)]
        assert kinds != []
        assert {kind: resources.crossings(sample(kind)) for kind in kinds} == {kind: [] for kind in kinds}
