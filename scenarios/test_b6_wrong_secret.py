"""The right address does not make up for a wrong secret, nor the right secret for a borrowed name."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, IPFamily, Lab, every, needs, udp, verifies

FAMILY = IPFamily.IPV4
REASON = "AuthenticationFailed"


@verifies("L3-B6")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_a_peer_with_the_right_address_and_a_wrong_secret_is_refused(fresh_lab: Lab) -> None:
    """Another key is published for it than it has: no packet is accepted, and whom it cannot convince says why."""
    packets = every(udp(a, b) for a, b in fresh_lab.pods.across_clusters(FAMILY))
    with fresh_lab.wrong_secret("west"):
        fresh_lab.eventually_none("packets cross", lambda: fresh_lab.crossing(FAMILY), within="T_refuse")
        packets.must_not_arrive(control=every(udp(pod, pod) for pod in fresh_lab.pods.all))
        fresh_lab.eventually_none(
            "no reason is named", lambda: fresh_lab.not_named(REASON, of="west", by=["east"]), within="T_refuse"
        )
    packets.arrives(within="T_reconcile")
    fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")


@verifies("L3-B6")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("chain-of-three")
def test_a_peer_with_a_right_secret_and_another_s_name_is_refused(fresh_lab: Lab) -> None:
    """It stands at the broker as a, with its own key: a's packets go on to a, and the others say who did it."""
    pairs = [pair for pair in fresh_lab.pods.workers_across(FAMILY) if "c" not in {pod.site.cluster for pod in pair}]
    with fresh_lab.stream(pairs) as stream, fresh_lab.borrowed_name("c", "a"):
        fresh_lab.eventually_none(
            "nobody is told", lambda: fresh_lab.not_named(REASON, of="c", by=["a", "b"]), within="T_refuse"
        )
        stream.goes_on("W_react")
    stream.loses_nothing()
