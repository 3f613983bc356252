"""One bad peer is a bad pair, and nothing more."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-D7")
@pytest.mark.topology("two-clusters")
def test_malformed_endpoints_disturb_nobody_else(fresh_lab: Lab) -> None:
    """Many at once, coming and going: no packet between others is lost, no status suffers, no agent falls."""
    flows = fresh_lab.pods.workers_across(fresh_lab.families[0])
    before = fresh_lab.agent_restarts()
    with fresh_lab.watched() as watch, fresh_lab.stream(flows) as stream:
        with fresh_lab.phantoms() as phantoms:
            assert phantoms.join_malformed() != [], "the broker took none of them"
            stream.goes_on("W_react")
        stream.goes_on("W_silence")
    stream.loses_nothing()
    assert watch.interruptions("east", "west") == []
    assert fresh_lab.agent_restarts() == before
