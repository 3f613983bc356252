"""A revoked member is cut off by all others, and cannot come back by itself."""

from __future__ import annotations

import pytest

from l3conf.testing import IPFamily, Lab, every, udp, verifies


@verifies("L3-B11")
@pytest.mark.topology("dash-prefixes")
@pytest.mark.dismantles
def test_a_revoked_member_is_cut_off_and_stays_so(fresh_lab: Lab) -> None:
    """Its objects, its packets in both directions, and its credential at the broker."""
    account = fresh_lab.account("east-1")
    assert account.writes("east-1") != []
    told = fresh_lab.revoked("east-1")
    fresh_lab.eventually_none("it is known", lambda: fresh_lab.still_known("east-1"), within="T_revoke", since=told)
    fresh_lab.eventually_none("packets cross", lambda: fresh_lab.crossing(IPFamily.IPV4), within="T_revoke", since=told)
    assert not account.is_accepted()
    crossing = every(udp(a, b) for a, b in fresh_lab.pods.across_clusters(IPFamily.IPV4))
    crossing.must_not_arrive(control=every(udp(pod, pod) for pod in fresh_lab.pods.all))
    assert fresh_lab.still_known("east-1") == []
