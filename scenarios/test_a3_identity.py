"""A member keeps its cluster id; another id is another member."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies

REFUSALS = range(400, 500)


@verifies("L3-A3")
@pytest.mark.topology("two-clusters")
def test_the_cluster_id_of_a_member_cannot_be_changed(lab: Lab) -> None:
    """The same patch with the id that it has is accepted."""
    for resources in lab.resources:
        for obj in resources.own_objects():
            same = resources.try_to_patch(obj, {"spec": {"cluster_id": obj["spec"]["cluster_id"]}})
            assert same.ok, f"control: {same.status} {same.message}"
            changed = resources.try_to_patch(obj, {"spec": {"cluster_id": "somebody-else"}})
            assert changed.status in REFUSALS, f"{obj['kind']} took another cluster id: {changed.status}"
