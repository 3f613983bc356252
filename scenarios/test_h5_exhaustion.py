"""A pool that is used up is reported, and who holds an address keeps it."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, udp, verifies


@verifies("L3-H5")
@pytest.mark.topology("tiny-pools")
def test_who_asks_for_more_than_is_left_is_told_and_nobody_loses_anything(lab: Lab) -> None:
    """It gets none at all, a pod with an address is reached all the time, and a smaller wish is met afterwards."""
    addresses, (client, server) = lab.global_addresses, lab.pods.one_in_each("west", "east")
    with addresses.of_pods(server) as (reached,):
        udp(client, reached).arrives(within="T_allocate")
        before = addresses.held()
        with lab.stream([(client, reached)]) as stream:
            with addresses.too_many("east") as demand:
                lab.eventually_none("exhaustion is not said", demand.unrefused, within="T_allocate")
                stream.goes_on("W_react")
                assert demand.unrefused() == []
                assert addresses.moved(before) == []
            with addresses.egress("east", count=1):
                assert addresses.moved(before) == []
        stream.loses_nothing()
