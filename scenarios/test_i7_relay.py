"""Two strict NATs are crossed by a relay."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, Protocol, Via, across_clusters, verifies


@verifies("L3-I7")
@pytest.mark.topology("nat-symmetric")
@pytest.mark.parametrize("via", list(Via))
def test_pods_reach_each_other_although_no_direct_path_exists(lab: Lab, via: Via) -> None:
    """East and west are told different ports by every NAT; north forwards, and renames nobody."""
    lab.reachability(across_clusters(lab.expected(), via, Protocol.TCP, Protocol.UDP)).holds()


@verifies("L3-I7")
@pytest.mark.topology("nat-symmetric")
def test_status_says_that_the_way_is_not_direct(lab: Lab) -> None:
    """The address in use is one of the relay's."""
    relays = {str(address) for node in lab.nodes if node.site.cluster == "north" for address in node.addresses}
    for member, peer in (("east", "west"), ("west", "east")):
        assert lab.connection(member, peer).entry["usingIP"] in relays
