"""Hubs, groups and selectors can be expressed."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.testing import Lab, clusters, connect, labelled, verifies

OUTSIDE = {"matchExpressions": [{"key": "role", "operator": "DoesNotExist"}]}


@verifies("L3-J6")
@pytest.mark.topology("chain-of-three")
@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        (labelled(role="hub"), labelled(role="spoke"), [("a", "b"), ("b", "c")]),
        (labelled(role="spoke"), labelled(role="spoke"), [("a", "c")]),
        (labelled(role="spoke"), OUTSIDE, []),
    ],
    ids=["hub and spokes", "a group", "nobody"],
)
def test_labels_of_clusters_say_who_connects(
    fresh_lab: Lab, left: dict[str, Any], right: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    """The broker's administrator gives labels, and policies select by them."""
    spoke, hub = {"role": "spoke"}, {"role": "hub"}
    with fresh_lab.policies.labelling(a=spoke, b=hub, c=spoke), fresh_lab.policies.in_force(connect(left, right)):
        fresh_lab.policies.connect(pairs)


@verifies("L3-J6")
@pytest.mark.topology("hub-and-spoke")
def test_spokes_reach_their_hub_and_not_one_another(fresh_lab: Lab) -> None:
    """One policy, whatever the number of spokes."""
    spokes = ("s1", "s2", "s3")
    with fresh_lab.policies.in_force(connect(clusters("hub"), clusters(*spokes))):
        fresh_lab.policies.connect([("hub", spoke) for spoke in spokes])


@verifies("L3-J6")
@pytest.mark.topology("groups")
def test_groups_keep_to_themselves(fresh_lab: Lab) -> None:
    """One policy a group, the group on both sides."""
    red, blue = labelled(colour="red"), labelled(colour="blue")
    colours = {"red-1": "red", "red-2": "red", "blue-1": "blue", "blue-2": "blue"}
    with (
        fresh_lab.policies.labelling(**{name: {"colour": colour} for name, colour in colours.items()}),
        fresh_lab.policies.in_force(connect(red, red), connect(blue, blue)),
    ):
        fresh_lab.policies.connect([("red-1", "red-2"), ("blue-1", "blue-2")])


@verifies("L3-J6")
@pytest.mark.topology("groups")
def test_clusters_that_name_colours_connect_if_they_share_one(fresh_lab: Lab) -> None:
    """The simplest form of policy: no object at the broker, a word in each Cluster. Who names none connects to all."""
    with fresh_lab.policies.coloured(**{"red-1": "red", "red-2": "red", "blue-1": "blue"}):
        together = [(name, "blue-2") for name in ("red-1", "red-2", "blue-1")]
        fresh_lab.policies.connect([("red-1", "red-2"), *together])
