"""A cluster comes back under its id with other ranges and keys, and is only what it is now."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, every, needs, tcp, udp, verifies


@verifies("L3-K9")
@needs(Capability.NODE_STATE)
@pytest.mark.topology("chain-of-three")
@pytest.mark.dismantles
def test_nothing_of_the_old_remains_when_another_takes_its_id(fresh_lab: Lab) -> None:
    """Two leave, and one of them joins as the other: with the ranges, keys and addresses of its own."""
    old_keys = fresh_lab.published_keys("b")
    for leaver in ("c", "b"):
        fresh_lab.departed(leaver)
    fresh_lab.succeeded("b", by="c")
    a, new = fresh_lab.pods.one_in_each("a", "c")
    every([udp(a, new), udp(new, a), tcp(a, new), tcp(new, a)]).arrives(within="T_join")
    fresh_lab.eventually_none("the old is still named", lambda: fresh_lab.remains("b", "a", "c"), within="T_leave")
    assert not old_keys & fresh_lab.published_keys("b"), "keys of the old one are published again"
