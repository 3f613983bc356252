"""A member shows at the broker that it is alive; one that does not is seen to, and keeps its connections."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-C4")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize(("member", "peer"), [("east", "west"), ("west", "east")])
def test_every_member_renews_a_lease_at_the_broker(lab: Lab, member: str, peer: str) -> None:
    """Named after the member; and of one that beats nobody says that anything is unknown."""
    before = lab.beats_of(member)
    assert before != {}, f"the broker has no Lease of {member}"
    lab.eventually_none("a Lease is not renewed", lambda: lab.not_renewed(member, before), within="T_detect")
    lab.eventually_none("it is unknown", lambda: lab.seen_as("Unknown", of=member, by=[peer]), within="T_detect")


@verifies("L3-C4")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_a_silent_member_is_seen_as_such_and_keeps_its_connections(fresh_lab: Lab) -> None:
    """It is away from the broker alone: packets flow, nobody calls them lost, and its return is seen as well."""

    def not_seen() -> list[str]:
        return fresh_lab.not_seen_as("Unknown", of="west", by=["east"])

    def still_seen() -> list[str]:
        return [] if not_seen() else ["something of west is unknown"]

    flows = fresh_lab.pods.workers_across(fresh_lab.families[0])
    with fresh_lab.watched("east", "west") as watch, fresh_lab.stream(flows) as stream:
        with fresh_lab.without_broker("west"):
            fresh_lab.eventually_none("silence is not seen", not_seen, within="T_detect")
            stream.goes_on("W_away")
            assert still_seen() != []
        fresh_lab.eventually_none("its return is not seen", still_seen, within="T_reconcile")
    stream.loses_nothing()
    assert watch.interruptions("east", "west") == []
