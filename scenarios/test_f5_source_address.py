"""Pods keep their own address when they talk to another cluster."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Protocol, SeenAs, Via, across_clusters, verifies


@verifies("L3-F5", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
@pytest.mark.parametrize("via", list(Via))
def test_server_sees_the_pod_that_called_it(lab: Lab, family: IPFamily, via: Via) -> None:
    """No gateway, node or proxy on the path may rewrite the source of a pod's packet."""
    table = across_clusters(lab.expected(family), via, Protocol.TCP, Protocol.UDP)
    assert {expectation.seen_as for expectation in table.values()} == {SeenAs.ITSELF}
    lab.reachability(table).holds()
