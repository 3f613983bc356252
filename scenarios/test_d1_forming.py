"""Connections form by themselves."""

from __future__ import annotations

import pytest

from l3conf.testing import Budgets, IPFamily, Lab, every, udp, verifies


@verifies("L3-D1")
@pytest.mark.topology("two-clusters")
def test_a_connection_forms_without_anybody_sending(fresh_lab: Lab, budgets: Budgets) -> None:
    """A member joins anew and is connected at both ends before the first packet, which then arrives."""
    formation = fresh_lab.formed_again("west")
    for pair in formation.pairs:
        assert formation.connected_after(pair, formation.joined_at) <= budgets.get("T_join"), pair
    every(udp(a, b) for a, b in fresh_lab.pods.workers_across(IPFamily.IPV4)).arrives()
