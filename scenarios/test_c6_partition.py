"""A member that was cut off from the broker catches up."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, needs, verifies


@verifies("L3-C6")
@needs(Capability.WAN_FAULTS)
@pytest.mark.topology("two-clusters")
def test_a_partitioned_member_catches_up_without_ghosts_or_duplicates(fresh_lab: Lab) -> None:
    """A phantom leaves and another one joins meanwhile; the member that was not cut off follows at once."""
    differing = fresh_lab.differing_from_broker
    with fresh_lab.phantoms() as phantoms:
        phantoms.join("leaver")
        fresh_lab.eventually_none("members differ from the broker", differing, within="T_reconcile")
        with fresh_lab.without_broker("east"):
            phantoms.leave("leaver")
            phantoms.join("newcomer")
            fresh_lab.eventually_none("west differs", lambda: differing("west"), within="T_reconcile")
            assert differing("east") != [], "nothing was to be caught up with: the partition let it through"
        fresh_lab.eventually_none("members differ from the broker", differing, within="T_reconcile")
    fresh_lab.eventually_none("phantoms are still known", differing, within="T_reconcile")
