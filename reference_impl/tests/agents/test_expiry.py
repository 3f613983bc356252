"""Who counts as answering through its cable."""

from __future__ import annotations

import pytest

from reference_impl.agents.expiry import answering
from reference_impl.planner.status import PeerReport
from reference_impl.protocols.health import Health, RoundTrips
from reference_impl.protocols.heartbeat import EXPIRY
from reference_impl.tests.planner.facts import endpoint


@pytest.mark.parametrize("health", [Health.CONNECTED, Health.CONNECTING, Health.LOST])
def test_a_gateway_that_took_over_a_moment_ago_is_not_taken_for_mute(health: Health) -> None:
    """Its member may not have beaten for long: nothing was heard of it since its last gateway fell silent (L3-K8)."""
    said = [
        PeerReport(endpoint=endpoint(number), health=health, silent_for=silent, round_trips=RoundTrips())
        for number, silent in ((2, 0.0), (3, EXPIRY - 0.1), (4, EXPIRY))
    ]
    assert answering(said) == {endpoint(2).cluster_id, endpoint(3).cluster_id}
