"""UDP over IPv6 carries a checksum, tunnels that may do without one excepted."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies, without_checksum


@verifies("L3-G6")
@pytest.mark.topology("v6-only")
def test_datagrams_between_sites_have_checksums_where_they_must(installed_lab: Lab) -> None:
    """RFC 6935 lets tunnels alone go without, and only on their own port (RFC 6936 section 5)."""
    pairs = installed_lab.pods.across_clusters(IPFamily.IPV6)
    traffic = every(udp(a, b, family=IPFamily.IPV6) for a, b in pairs)
    with installed_lab.wan.capturing() as wan:

        def unseen() -> list[str]:
            traffic.observe()
            return [] if wan.between("east", "west") else ["no datagram from east to west"]

        installed_lab.eventually_none("nothing passes between the sites", unseen, within="T_join")
        bare = wan.packets(without_checksum())
    exempt = installed_lab.ports_without_checksum
    assert [packet for packet in bare if exempt.isdisjoint({packet.source_port, packet.destination_port})] == []
