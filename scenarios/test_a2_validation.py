"""Objects that cannot be right are refused when they are written, not when they break something."""

from __future__ import annotations

import pytest

from l3conf.testing import BAD_VALUES, BadValue, Lab, sample, verifies

UNPROCESSABLE = 422


@verifies("L3-A2")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("bad", BAD_VALUES, ids=str)
def test_a_bad_value_is_refused_where_a_good_one_is_accepted(installed_lab: Lab, bad: BadValue) -> None:
    """The same object, with and without the one wrong value."""
    for resources in installed_lab.resources:
        good = resources.try_to_create(sample(bad.kind))
        assert good.ok, f"control: {good.status} {good.message}"
        refused = resources.try_to_create(bad.make())
        assert refused.status == UNPROCESSABLE, f"{bad.field}: {bad.value} was answered {refused.status}"
