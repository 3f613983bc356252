"""Pods reach pods of other clusters, wherever they run."""

from __future__ import annotations

from itertools import permutations

import pytest

from l3conf.testing import IPFamily, Lab, Protocol, Via, across_clusters, verifies, whoever_asks


@verifies("L3-F1", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "filtered-cloud", "v6-only")
@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_pods_reach_pods_across_clusters_from_every_placement(lab: Lab, family: IPFamily, protocol: Protocol) -> None:
    """On a gateway node or not, at either end, in both directions."""
    table = whoever_asks(across_clusters(lab.expected(family), Via.POD, protocol))
    on_gateway = {pod.site: pod.on_gateway for pod in lab.pods.all}
    placements = {(cell.client.cluster, on_gateway[cell.client], on_gateway[cell.server]) for cell in table}
    kinds = {cluster.name: {node.gateway for node in cluster.nodes} for cluster in lab.topology.clusters}
    assert placements == {(a, x, y) for a, b in permutations(kinds, 2) for x in kinds[a] for y in kinds[b]}
    lab.reachability(table).holds()
