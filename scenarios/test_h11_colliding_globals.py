"""Who would be known by addresses that are taken is refused, in so many words, and nobody else suffers."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, Pod, Service, every, udp, verifies

REASON = "OverlappingCIDR"


@verifies("L3-H11")
@pytest.mark.topology("colliding-globals")
@pytest.mark.dismantles
@pytest.mark.parametrize(
    ("newcomer", "owner"),
    [("c", "a"), ("d", "b"), ("e", "a"), ("f", "b")],
    ids=["among pods", "in a global range", "among nodes", "among pods that nobody outside knows"],
)
def test_a_newcomer_whose_global_range_is_taken_is_refused_and_named(fresh_lab: Lab, newcomer: str, owner: str) -> None:
    """It leaves and comes again: both incumbents and itself say why it is not connected, and lose no packet."""

    def unsaid() -> list[str]:
        incumbents = fresh_lab.not_named(REASON, of=newcomer, by=["a", "b"])
        return incumbents + fresh_lab.not_named(REASON, of=owner, by=[newcomer])

    a, b = fresh_lab.pods.one_in_each("a", "b")
    pairs: list[tuple[Pod, Pod | Service]] = [(a, fresh_lab.global_addresses.service("b")), (b, a)]
    fresh_lab.departed(newcomer)
    every(udp(client, server) for client, server in pairs).arrives(within="T_recover")
    with fresh_lab.stream(pairs) as stream:
        fresh_lab.returned(newcomer)
        fresh_lab.eventually_none("the collision is not named", unsaid, within="T_refuse")
        stream.goes_on("W_react")
        fresh_lab.eventually_none("the collision is not named any more", unsaid, within="T_refuse")
    stream.loses_nothing()
    assert fresh_lab.changed_local_traffic(IPFamily.IPV4) == []
