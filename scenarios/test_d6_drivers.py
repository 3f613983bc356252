"""Each pair of members uses a cable driver that both have; a pair without one says so, and stays as it is."""

from __future__ import annotations

import pytest

from l3conf.testing import (
    EVERYBODY,
    Capability,
    Lab,
    Protocol,
    Via,
    across_clusters,
    clusters,
    connect,
    every,
    needs,
    udp,
    verifies,
)


@verifies("L3-D6")
@pytest.mark.topology("mixed-drivers")
@pytest.mark.parametrize("via", list(Via))
def test_pairs_with_a_common_driver_connect_and_others_do_not(installed_lab: Lab, via: Via) -> None:
    """One member speaks both drivers, two speak one each: it reaches both, they do not reach each other."""
    table = across_clusters(installed_lab.expected(), via, Protocol.TCP, Protocol.UDP)
    installed_lab.reachability(table).holds(within="T_join", started=installed_lab.joined_at)


@verifies("L3-D6")
@pytest.mark.topology("mixed-drivers")
def test_a_pair_without_a_common_driver_says_so(lab: Lab) -> None:
    """Both ends name the reason."""
    lab.eventually_none("a mismatch is not said", lab.mismatches_not_said, within="T_refuse", since=lab.joined_at)


@verifies("L3-D6")
@pytest.mark.topology("mixed-drivers")
@pytest.mark.patient("mismatches")
def test_a_pair_without_a_common_driver_does_not_flap(lab: Lab) -> None:
    """Nothing about the pair has changed since the others are connected."""
    assert lab.mismatches_that_change() == []


@verifies("L3-D6")
@needs(Capability.WAN_CAPTURE, Capability.RAW_PACKETS)
@pytest.mark.declared("partial")
@pytest.mark.topology("named-drivers")
def test_a_policy_names_the_driver_of_the_pairs_that_it_connects(fresh_lab: Lab) -> None:
    """Their packets look so on the wire, both ways, for as long as it stands; those of others do not change."""
    (preferred, named), (a, b, c) = fresh_lab.named_drivers(2), fresh_lab.pods.one_in_each("a", "b", "c")
    pair, others = udp(a, b), every([udp(a, c), udp(c, b)])
    with fresh_lab.wan.capturing() as wan:
        wan.carries(every([pair, others]), over=preferred)
        with fresh_lab.policies.in_force(
            connect(EVERYBODY, EVERYBODY), connect(clusters("b"), clusters("a"), driver=named)
        ):
            wan.carries(pair, over=named, within="T_policy")
            wan.carries(others, over=preferred)
        wan.carries(pair, over=preferred, within="T_policy")


@verifies("L3-D6")
@pytest.mark.declared("partial")
@pytest.mark.topology("named-drivers")
def test_a_pair_that_lacks_the_driver_which_a_policy_names_says_so(fresh_lab: Lab) -> None:
    """It has another one in common, which is not what was asked for; when the policy has gone, that one serves."""
    policies, (_, named) = fresh_lab.policies, fresh_lab.named_drivers(2)
    with policies.in_force(connect(EVERYBODY, EVERYBODY), connect(clusters("a"), clusters("c"), driver=named)):
        policies.connect([("a", "b"), ("b", "c")])
        fresh_lab.eventually_none(
            "the mismatch is not named",
            lambda: fresh_lab.not_refused("a", "c", reason="DriverMismatch"),
            within="T_policy",
        )
    policies.connect([("a", "b"), ("a", "c"), ("b", "c")])
