"""The agents of all nodes start again, and no packet is lost."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, verifies


@verifies("L3-K7")
@pytest.mark.topology("two-clusters")
@pytest.mark.parametrize("cluster", ["east", "west"])
def test_no_packet_is_lost_while_route_agents_are_rolled_out_again(fresh_lab: Lab, cluster: str) -> None:
    """As ``kubectl rollout restart`` does it, node after node."""
    agents = fresh_lab.agents(cluster)
    with fresh_lab.stream(fresh_lab.pods.across_clusters(fresh_lab.families[0]), rate=200) as stream:
        agents.rolled_out(agents.of_every_node)
        stream.goes_on("W_react")
    stream.loses_nothing()


@verifies("L3-K7")
@pytest.mark.topology("two-clusters")
def test_no_packet_is_lost_when_route_agents_end_without_warning(fresh_lab: Lab) -> None:
    """On all nodes of a cluster at once, without grace."""
    agents = fresh_lab.agents("east")
    with fresh_lab.stream(fresh_lab.pods.across_clusters(fresh_lab.families[0]), rate=200) as stream:
        agents.deleted(agents.of_every_node)
        stream.goes_on("W_react")
    stream.loses_nothing()
