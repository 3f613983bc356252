"""What a member does not know of, it carries along."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-L4")
@needs(Capability.AGENT_FAULTS)
@pytest.mark.topology("two-clusters")
def test_a_field_of_a_later_version_is_ignored_and_not_erased(fresh_lab: Lab) -> None:
    """It reaches the broker and the other member, and stays when the member's agents write its objects again."""
    pairs = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.stream(pairs) as stream, fresh_lab.from_the_future("west") as lacking:
        fresh_lab.eventually_none("the field is not everywhere", lacking, within="T_join")
        fresh_lab.restarted("east", "west")
        stream.goes_on("W_react")
        assert lacking() == []
    stream.loses_nothing()
