"""Pods come and go, and those that stay notice nothing."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Pod, Service, verifies


@verifies("L3-K10")
@pytest.mark.alone
@pytest.mark.topology("two-clusters")
def test_pods_that_come_and_go_cost_the_others_no_packet(fresh_lab: Lab) -> None:
    """Ten a second, on all nodes of both clusters in turn, behind a Service whose backends change as often."""
    pairs: list[tuple[Pod, Pod | Service]] = [
        *fresh_lab.pods.across_clusters(fresh_lab.families[0]),
        *((pod, fresh_lab.services["west"]) for pod in fresh_lab.pods.of("east")),
    ]
    with fresh_lab.stream(pairs) as stream:
        churn = fresh_lab.churning("W_churn", "east", "west")
    stream.loses_nothing()
    churn.must_have_kept_pace()
