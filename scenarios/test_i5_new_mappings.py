"""A NAT that chooses other mappings is followed quickly."""

from __future__ import annotations

import pytest

from l3conf.testing import (
    AddressChange,
    Capability,
    IPFamily,
    Lab,
    NATRebinding,
    NATReboot,
    every,
    needs,
    udp,
    verifies,
)

FAMILY = IPFamily.IPV4


@verifies("L3-I5")
@needs(Capability.NAT_FAULTS)
@pytest.mark.topology("nat-one-side", "nat-port-rewriting")
@pytest.mark.parametrize("fault", [NATRebinding(site="east"), NATReboot(site="east")], ids=["rebinding", "reboot"])
def test_connections_outlive_a_nat_that_forgets(fresh_lab: Lab, fault: NATRebinding | NATReboot) -> None:
    """Packets flow both ways again, and status says so."""
    with fresh_lab.fault(fault):
        pass
    every(udp(a, b) for a, b in fresh_lab.pods.workers_across(FAMILY)).arrives(within="T_recover")
    fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")


@verifies("L3-I5")
@needs(Capability.NAT_FAULTS)
@pytest.mark.topology("nat-one-side")
def test_connections_outlive_a_new_public_address(fresh_lab: Lab) -> None:
    """There and back: the address changes, and is as before in the end."""
    pairs = every(udp(a, b) for a, b in fresh_lab.pods.workers_across(FAMILY))
    with fresh_lab.fault(AddressChange(site="east", address=fresh_lab.free_wan_address)):
        pairs.arrives(within="T_recover")
    pairs.arrives(within="T_recover")
    fresh_lab.eventually_none("members do not agree", fresh_lab.not_agreed, within="T_recover")


@verifies("L3-I5")
@pytest.mark.topology("nat-one-side")
def test_what_was_learnt_is_not_forgotten_again(fresh_lab: Lab) -> None:
    """Resyncs bring older news of where the peer is; no packet may follow them."""
    with fresh_lab.stream(fresh_lab.pods.workers_across(FAMILY)) as stream:
        fresh_lab.idle("W_steady")
    stream.loses_nothing()
