from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.names import IMPLEMENTATION
from reference_impl.planner.conditions import peer_conditions
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.membership import plan_membership
from reference_impl.planner.skew import AGENT_VERSION, VERSION_SKEW_UNSUPPORTED, own_parameters, skew
from reference_impl.planner.status import PeerReport
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.health import Health, RoundTrips
from reference_impl.tests.planner.facts import OWN, endpoint
from reference_impl.version import VERSION


def test_a_member_goes_with_its_own_kind() -> None:
    assert skew(VERSION, own_parameters(VERSION, "vxlan")[AGENT_VERSION]) == ""


@pytest.mark.parametrize("theirs", ["", "v0.17.0", "other-project/9.0.0", "reference-impl", "reference-impl/x.y.z"])
def test_who_says_nothing_that_we_know_is_taken_as_it_is(theirs: str) -> None:
    assert skew(VERSION, theirs) == ""


def test_another_major_version_is_named() -> None:
    assert "reference-impl/7.1.0" in skew("1.0.0", "reference-impl/7.1.0")


def test_a_version_that_does_not_go_with_ours_is_said_and_refuses_nobody() -> None:
    """Who is connected stays so (L3-L5); a gateway that starts again must not judge otherwise."""
    stranger = replace(endpoint(2), parameters=frozenset({(AGENT_VERSION, f"{IMPLEMENTATION}/99.0.0")}))
    decided = plan_membership(OWN, (), [], [stranger], drivers=DriverSet((VXLANCables(),)))
    assert decided.refusals == ()
    assert [peer.cluster_id for peer in decided.peers] == [stranger.cluster_id]
    said = PeerReport(endpoint=stranger, health=Health.CONNECTED, silent_for=1.0, round_trips=RoundTrips())
    accepted = {one.type: one for one in peer_conditions(said, "")}["Accepted"]
    assert (accepted.status, accepted.reason) == ("True", VERSION_SKEW_UNSUPPORTED)
    assert "99.0.0 there" in accepted.message


@given(st.text())
def test_no_text_raises(theirs: str) -> None:
    skew(VERSION, theirs)
