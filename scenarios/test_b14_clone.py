"""A member of which there are two is noticed."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-B14")
@pytest.mark.topology("chain-of-three")
@pytest.mark.dismantles
def test_a_clone_of_a_member_is_detected_and_reported(fresh_lab: Lab) -> None:
    """All that makes c a member is replaced by a copy of what makes a one; a and b say that there are two of a."""
    reason, members = "IdentityConflict", ["a", "b"]
    fresh_lab.departed("c")
    assert len(fresh_lab.not_named(reason, of="a", by=members)) == len(members)
    with fresh_lab.cloned("a", into="c") as lives_since:
        fresh_lab.eventually_none(
            "the clone is not noticed",
            lambda: fresh_lab.not_named(reason, of="a", by=members),
            within="T_detect",
            since=lives_since,
        )
