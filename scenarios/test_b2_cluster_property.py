"""A cluster says who it is and where it belongs, as KEP-2149 has it."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies

WHO, WHERE = "cluster.clusterset.k8s.io", "clusterset.k8s.io"


@verifies("L3-B2")
@pytest.mark.topology("two-clusters")
def test_every_member_publishes_its_id_and_its_cluster_set(installed_lab: Lab) -> None:
    """The id is the one that others know it by, and the cluster set is the same everywhere."""
    published = {cluster: installed_lab.property_values(cluster) for cluster in installed_lab.members.joined}
    assert {cluster: values.get(WHO) for cluster, values in published.items()} == {one: one for one in published}
    assert len({values.get(WHERE, cluster) for cluster, values in published.items()}) == 1


@verifies("L3-B2")
@pytest.mark.topology("two-clusters")
@pytest.mark.dismantles
def test_a_cluster_that_left_belongs_nowhere(fresh_lab: Lab) -> None:
    """The one that stayed still does."""
    departure = fresh_lab.departed("west")
    fresh_lab.eventually_none(
        "membership is still published",
        lambda: [value for name, value in fresh_lab.property_values("west").items() if name == WHERE],
        within="T_leave",
        since=departure.at,
    )
    assert WHERE in fresh_lab.property_values("east")
