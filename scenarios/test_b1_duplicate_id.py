"""A cluster id belongs to one cluster."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, sample, verifies


@verifies("L3-B1")
@pytest.mark.topology("chain-of-three")
@pytest.mark.dismantles
def test_a_second_cluster_under_the_same_id_does_not_disturb_the_first(fresh_lab: Lab) -> None:
    """The third cluster leaves, and joins again as the first: no packet of that one is lost, no object changes."""
    fresh_lab.departed("c")
    a, b = fresh_lab.pods.one_in_each("a", "b")
    with fresh_lab.stream([(a, b), (b, a)]) as stream:
        intrusion = fresh_lab.joined_under("c", "a")
    assert intrusion.changed == ()
    stream.loses_nothing()


@verifies("L3-B1")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("wrong", ["East", "-east", "east-", "ea st", "ea_st", "a.b.c", "e" * 64, ""])
def test_an_id_that_is_no_label_is_refused(installed_lab: Lab, wrong: str) -> None:
    """RFC 1123: letters, digits and dashes, 63 at most; two labels with a dot between them at most."""
    for resources in installed_lab.resources:
        assert not resources.try_to_create(sample("Cluster", cluster_id=wrong)).ok
        assert resources.try_to_create(sample("Cluster")).ok
