"""Ports of global addresses run out late, or visibly."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, tcp, verifies

EACH = 60_000


@verifies("L3-H10")
@pytest.mark.topology("identical-ranges")
@pytest.mark.parametrize("addresses", [1, 2])
def test_an_egress_address_carries_sixty_thousand_flows_to_one_destination_or_metrics_say_that_it_does_not(
    lab: Lab, addresses: int
) -> None:
    """All are open at once: no two are seen as the same, and when all have begun each is still who it was."""
    clients, service = lab.pods.of("west"), lab.global_addresses.service("east")
    before = lab.reports.flows_refused("west")
    with lab.global_addresses.egress("west", count=addresses) as sources:
        tcp(clients[0], service).arrives(seen_as=sources, within="T_allocate")
        crowd = lab.crowd(clients, service, flows=EACH * len(sources))
        assert crowd.confused(sources) == []
        assert crowd.refused == 0 or lab.reports.flows_refused("west") > before
