"""Pods reach every backend of a Service in another cluster."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Protocol, Via, across_clusters, verifies, whoever_asks


@verifies("L3-F2", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "filtered-cloud", "v6-only")
@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_a_remote_cluster_ip_spreads_over_all_ready_backends(lab: Lab, family: IPFamily, protocol: Protocol) -> None:
    """Every pod meets every backend, the ones on nodes without a gateway too."""
    table = whoever_asks(across_clusters(lab.expected(family), Via.SERVICE, protocol))
    assert {cell.server for cell in table} == {pod.site for pod in lab.pods.all}
    lab.reachability(table).holds()
