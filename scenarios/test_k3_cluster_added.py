"""A cluster joins, and nobody else notices."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, every, udp, verifies


@verifies("L3-K3")
@pytest.mark.topology("chain-of-three")
def test_a_cluster_that_comes_costs_the_others_no_packet(fresh_lab: Lab) -> None:
    """From before it joins until it reaches all of them, and they it."""
    fresh_lab.departed("c")
    a, b = fresh_lab.pods.of("a"), fresh_lab.pods.of("b")
    among_others = [pair for one in a for other in b for pair in ((one, other), (other, one))]
    newcomer = fresh_lab.pods.towards(*fresh_lab.pods.of("c"))
    with fresh_lab.stream(among_others, rate=200) as stream:
        fresh_lab.returned("c")
        every(udp(*pair) for there, here in newcomer for pair in ((there, here), (here, there))).arrives(
            within="T_join"
        )
        stream.goes_on("W_react")
    stream.loses_nothing()
