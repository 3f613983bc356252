"""How the table of flows is looked through."""

from __future__ import annotations

import pytest

from reference_impl.drivers.conntrack import whole_is_cheaper

BUCKETS = 262_144


@pytest.mark.parametrize(
    ("looks", "flows", "whole"),
    [
        (1, 0, False),  # nothing is cheaper than one look for one address
        (2, 0, True),
        (2, 300, True),
        (2, 100_000, False),  # a tenth of a second against some seconds
        (64, 20_000, True),
        (300, 100_000, True),
    ],
)
def test_few_addresses_among_many_flows_are_looked_for_one_by_one(*, looks: int, flows: int, whole: bool) -> None:
    assert whole_is_cheaper(looks, flows, BUCKETS) is whole


def test_a_small_table_is_walked_through_as_often_as_is_asked() -> None:
    assert not whole_is_cheaper(4, 20, 1024)
