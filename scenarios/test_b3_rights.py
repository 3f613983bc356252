"""A member writes its own objects at the broker, and no other member's."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-B3")
@pytest.mark.topology("two-clusters")
def test_a_member_writes_only_what_is_its_own(lab: Lab) -> None:
    """Neither changes nor deletes what is another's, nor creates in its name; what is its own it may write."""
    for account, other in lab.rivals:
        assert account.writes(account.member) != []
        assert account.writes(other) == []
