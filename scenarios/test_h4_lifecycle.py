"""Global addresses are unique, stay with their object, and rest when it is gone."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from l3conf.testing import Budgets, Capability, Lab, needs, tcp, verifies


@verifies("L3-H4")
@pytest.mark.topology("identical-ranges", "partly-overlapping")
def test_no_address_is_held_twice_or_lies_outside_of_what_its_cluster_published(lab: Lab) -> None:
    """Whichever kind of object holds it, in whichever cluster."""
    addresses = lab.global_addresses
    assert addresses.faults() == []
    asking = [pod for member in addresses.members for pod in lab.pods.of(member)]
    with addresses.of_pods(*asking), addresses.headless("east"), addresses.egress("west", count=5):
        assert len(addresses.taken()) > len(asking)
        assert addresses.faults() == []
        assert lab.not_learnt() == []


@verifies("L3-H4")
@needs(Capability.AGENT_FAULTS)
@pytest.mark.topology("identical-ranges")
def test_an_object_keeps_its_addresses_while_others_come_and_go_and_agents_start_again(
    fresh_lab: Lab, budgets: Budgets
) -> None:
    """The address of a pod, of a Service, and those of a cluster. Others came before, so that there are gaps."""
    addresses, (client, server) = fresh_lab.global_addresses, fresh_lab.pods.one_in_each("west", "east")
    with ExitStack() as staying:
        with addresses.egress("east", count=3):
            (reached,) = staying.enter_context(addresses.of_pods(server))
        before = addresses.held()
        with addresses.egress("east", count=5), addresses.of_pods(client), addresses.headless("east"):
            assert addresses.moved(before) == []
        assert addresses.moved(before) == []
        assert fresh_lab.restarted("east", "west").reported_after <= budgets.get("T_restart")
        assert addresses.moved(before) == []
        tcp(client, reached).arrives(within="T_allocate")


@verifies("L3-H4")
@pytest.mark.topology("identical-ranges")
def test_an_address_that_was_released_is_not_given_to_the_next_who_ask(lab: Lab) -> None:
    """Whoever still sends to it must not meet somebody else."""
    addresses, (server,) = lab.global_addresses, lab.pods.one_in_each("east")
    with addresses.of_pods(server) as (reached,):
        released = reached.address()
    with addresses.egress("east", count=20), addresses.of_pods(*lab.pods.of("east")), addresses.egress("east", count=9):
        assert released not in addresses.taken()
