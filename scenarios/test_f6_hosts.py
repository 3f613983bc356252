"""Nodes, and pods that use their node's network, reach pods of other clusters."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, tcp, udp, verifies


@verifies("L3-F6", over_ipv6="L3-G1")
@pytest.mark.topology("two-clusters", "mixed-plugins", "v6-only")
def test_a_node_reaches_remote_pods_from_one_address_that_is_its_clusters(lab: Lab, family: IPFamily) -> None:
    """From every node, whatever the pod and the protocol; and the far side can tell which cluster it was."""
    for node in lab.nodes:
        pods = [pod for pod in lab.pods.having(family) if pod.site.cluster != node.site.cluster]
        seen = every(send(node, pod, family=family) for pod in pods for send in (tcp, udp)).arrives()
        (source,) = {one.seen_as for one in seen}
        assert lab.owner_of(source) == node.site.cluster
