"""TCP gets through where a link is small and nobody says so."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, tcp, verifies

WRITES = (1400, 65536)


@verifies("L3-F9", over_ipv6="L3-G4")
@pytest.mark.topology("small-mtu", "small-mtu-v6")
def test_tcp_arrives_intact_over_a_link_whose_size_is_hidden(lab: Lab, family: IPFamily) -> None:
    """In both directions, from pods of every placement: the router before the small link drops ICMP errors."""
    pairs = lab.pods.across_clusters(family)
    every(
        tcp(client, server, size=65536, write_size=write, family=family) for client, server in pairs for write in WRITES
    ).arrives()
