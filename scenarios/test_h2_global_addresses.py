"""Clusters with the same ranges reach each other by addresses that are unique in the cluster set."""

from __future__ import annotations

import pytest

from l3conf.testing import (
    IPFamily,
    Lab,
    Protocol,
    SeenAs,
    Via,
    across_clusters,
    by_global_address,
    every,
    tcp,
    udp,
    verifies,
    whoever_asks,
)


@verifies("L3-H2")
@pytest.mark.topology("identical-ranges", "partly-overlapping", "identical-ranges-v6")
@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_pods_reach_every_backend_by_the_global_address_of_a_service(
    lab: Lab, family: IPFamily, protocol: Protocol
) -> None:
    """From every placement; each backend says which cluster it is of."""
    table = whoever_asks(by_global_address(lab.expected(family), protocol))
    members = lab.global_addresses.members
    assert {cell.server for cell in table} == {pod.site for member in members for pod in lab.pods.of(member)}
    lab.reachability(table).holds()


@verifies("L3-H2")
@pytest.mark.topology("identical-ranges", "partly-overlapping")
def test_servers_see_an_address_that_the_objects_of_the_clients_cluster_name(lab: Lab, family: IPFamily) -> None:
    """Or, where a client's cluster has no global addresses, the client's own."""
    table = by_global_address(lab.expected(family), Protocol.TCP, Protocol.UDP)
    assert SeenAs.GLOBAL in {want.seen_as for want in table.values()}
    lab.reachability(table).holds()


@verifies("L3-H2")
@pytest.mark.topology("partly-overlapping")
@pytest.mark.parametrize("via", list(Via))
def test_who_has_no_global_addresses_is_reached_at_its_own_and_nobody_else_is(
    lab: Lab, family: IPFamily, via: Via
) -> None:
    """Seen as global addresses there; at the ranges that two clusters have, nobody of another one answers."""
    table = across_clusters(lab.expected(family), via, Protocol.TCP, Protocol.UDP)
    lab.presupposes(
        "some clusters have global addresses, and one has none",
        holds={want.seen_as for want in table.values()} == {SeenAs.GLOBAL, None},
    )
    lab.reachability(table).holds()


@verifies("L3-H2")
@pytest.mark.topology("identical-ranges", "partly-overlapping", "identical-ranges-v6")
def test_pods_that_ask_for_addresses_of_their_own_are_reached_by_these(lab: Lab, family: IPFamily) -> None:
    """From every placement at either end."""
    asking = [pod for member in lab.global_addresses.members for pod in lab.pods.of(member)]
    with lab.global_addresses.of_pods(*asking) as servers:
        pairs = lab.pods.towards(*servers)
        every(ask(client, server, family=family) for client, server in pairs for ask in (tcp, udp)).arrives(
            within="T_allocate"
        )


@verifies("L3-H2")
@pytest.mark.topology("identical-ranges")
@pytest.mark.parametrize("cluster", ["east", "west"])
def test_each_pod_behind_an_exported_headless_service_is_reached_by_its_own_address(lab: Lab, cluster: str) -> None:
    """The Service has no address to share."""
    with lab.global_addresses.headless(cluster) as servers:
        pairs = lab.pods.towards(*servers)
        every(ask(client, server) for client, server in pairs for ask in (tcp, udp)).arrives(within="T_allocate")
