"""Hubs, groups and selectors can be expressed."""

from __future__ import annotations

from typing import Any

import pytest

from l3conf.testing import Lab, connect, labelled, verifies

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
