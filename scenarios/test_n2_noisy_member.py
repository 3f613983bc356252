"""One noisy member is nobody else's delay."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies

NOISE = 100.0
"""Updates a second (L3-N2)."""


@verifies("L3-N2")
@needs(Capability.NODE_STATE)
@pytest.mark.alone
@pytest.mark.topology("two-clusters")
def test_a_member_that_changes_all_the_time_delays_no_other(fresh_lab: Lab) -> None:
    """A newcomer is in every member's API and on every node in time, a leaver gone, and packets pass all the while."""
    flows = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.phantoms() as phantoms, fresh_lab.stream(flows) as stream:
        phantoms.join("noisy")
        phantoms.join("leaver")
        fresh_lab.eventually_none("no calm before", fresh_lab.differing_from_broker, within="T_reconcile")
        with phantoms.noisy("noisy", NOISE):
            stream.goes_on("W_glitch")
            phantoms.join("newcomer")
            fresh_lab.eventually_none(
                "the newcomer waits", lambda: fresh_lab.nodes_without(phantoms.claims("newcomer")), within="T_news"
            )
            phantoms.leave("leaver")
            fresh_lab.eventually_none(
                "the leaver stays", lambda: fresh_lab.nodes_with(phantoms.claims("leaver")), within="T_news"
            )
            stream.goes_on("W_react")
        fresh_lab.eventually_none("members differ", fresh_lab.differing_from_broker, within="T_reconcile")
    stream.loses_nothing()
