"""What is for a pod of another cluster is never heard by a local one that has the same address."""

from __future__ import annotations

import itertools

import pytest

from l3conf.testing import Lab, Pod, Service, every, tcp, udp, verifies


@verifies("L3-H3")
@pytest.mark.topology("identical-ranges")
@pytest.mark.parametrize(("here", "there"), [("east", "west"), ("west", "east")], ids=["to west", "to east"])
def test_local_pods_with_the_address_of_the_one_that_is_meant_hear_nothing(lab: Lab, here: str, there: str) -> None:
    """They are shown to hear: other local pods call them at that very address meanwhile."""
    decoys, meant = lab.pods.of(here), lab.pods.namesakes(there, of=here)
    local = every(ask(one, other) for one, other in itertools.permutations(decoys, 2) for ask in (tcp, udp))
    with lab.global_addresses.of_pods(*meant) as pods:
        servers: list[Pod | Service] = [*pods, lab.global_addresses.service(there)]
        abroad = every(ask(pod, server) for pod in decoys for server in servers for ask in (tcp, udp))
        abroad.passes(decoys, control=local, within="T_allocate")


@verifies("L3-H3")
@pytest.mark.topology("identical-ranges")
@pytest.mark.parametrize(("here", "there"), [("east", "west"), ("west", "east")], ids=["to west", "to east"])
def test_endpoints_that_somebody_wrote_down_are_no_local_pods_with_the_same_address(
    lab: Lab, here: str, there: str
) -> None:
    """As `HeadlessServiceEndpoints` has it: of a Service without selector, nothing is known but addresses."""
    decoys, meant = lab.pods.of(here), lab.pods.namesakes(there, of=here)
    local = every(ask(one, other) for one, other in itertools.permutations(decoys, 2) for ask in (tcp, udp))
    with lab.global_addresses.written_down(*meant) as servers:
        abroad = every(ask(pod, server) for pod in decoys for server in servers for ask in (tcp, udp))
        abroad.passes(decoys, control=local, within="T_allocate")
