from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.planner.skew import AGENT_VERSION, own_parameters, skew
from reference_impl.version import VERSION


def test_a_member_goes_with_its_own_kind() -> None:
    assert skew(VERSION, own_parameters(VERSION, "vxlan")[AGENT_VERSION]) == ""


@pytest.mark.parametrize("theirs", ["", "v0.17.0", "other-project/9.0.0", "reference-impl", "reference-impl/x.y.z"])
def test_who_says_nothing_that_we_know_is_taken_as_it_is(theirs: str) -> None:
    assert skew(VERSION, theirs) == ""


def test_another_major_version_is_refused_by_name() -> None:
    assert "reference-impl/7.1.0" in skew("1.0.0", "reference-impl/7.1.0")


@given(st.text())
def test_no_text_raises(theirs: str) -> None:
    skew(VERSION, theirs)
