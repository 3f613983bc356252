"""Where pods have addresses of their own, who sent can be told."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, SeenAs, every, tcp, udp, verifies


@verifies("L3-H8")
@pytest.mark.topology("identical-ranges", "identical-ranges-v6")
def test_servers_see_each_pod_as_its_own_address_and_reach_it_there(lab: Lab, family: IPFamily) -> None:
    """One address a pod, in both directions: what a server saw leads back to the pod that sent."""
    servers = lab.pods.of("east")
    with lab.global_addresses.of_pods(*lab.pods.of("west")) as clients:
        assert len({client.address(family) for client in clients}) == len(clients)
        service = lab.global_addresses.service("east")
        # A TTL of its own is a socket of its own: to a port that was used before, an older translation may still apply.
        asked = every(ask(client, service, ttl=64, family=family) for client in clients for ask in (tcp, udp))
        asked.arrives(seen_as=SeenAs.ITSELF, within="T_allocate")
        every(tcp(server, client, family=family) for server in servers for client in clients).arrives(
            within="T_allocate"
        )
