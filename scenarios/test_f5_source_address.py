"""Pods keep their own address when they talk to another cluster."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, SeenAs, Via, across_clusters, verifies


@verifies("L3-F5")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("via", list(Via))
def test_server_sees_the_pod_that_called_it(lab: Lab, via: Via) -> None:
    """No gateway, node or proxy on the path may rewrite the source of a pod's packet."""
    table = across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)
    assert {expectation.seen_as for expectation in table.values()} == {SeenAs.ITSELF}
    lab.reachability(table).holds()
