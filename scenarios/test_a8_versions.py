"""Every member lets the others know which version it runs."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-A8")
@pytest.mark.topology("two-clusters")
def test_members_can_read_which_version_the_others_run(installed_lab: Lab) -> None:
    """The version that a member's own Gateway reports stands in what the others hold of it."""
    installed_lab.eventually_none(
        "versions are not known", installed_lab.unknown_versions, within="T_join", since=installed_lab.joined_at
    )
