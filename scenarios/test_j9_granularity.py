"""Connectivity may be granted per namespace, Service and port."""

from __future__ import annotations

import pytest

from l3conf.testing import Capability, Lab, Outcome, Protocol, every, needs, tcp, udp, verifies


@verifies("L3-J9")
@needs(Capability.NETWORK_POLICY)
@pytest.mark.topology("chain-of-three")
def test_one_service_is_granted_to_one_cluster_over_one_port_and_its_neighbour_to_its_namespace(fresh_lab: Lab) -> None:
    """NetworkPolicies where the Services are, by ipBlock of a remote pod range with a port, and by namespaceSelector.

    Granted is TCP to one Service from one cluster. Its UDP, the same from another cluster, and anything remote to a
    second Service beside it are not; pods of the namespace itself reach both. Before and after, everybody does.
    """
    (here, there), ours, theirs = fresh_lab.pods.of("b")[:2], fresh_lab.pods.of("a"), fresh_lab.pods.of("c")
    with fresh_lab.service_of(here) as granted, fresh_lab.service_of(there) as withheld:
        local = every(ask(one, two) for one, two in ((here, withheld), (there, granted)) for ask in (tcp, udp))
        opened = every([*(tcp(pod, granted) for pod in theirs), *(tcp(pod, withheld) for pod in (*ours, *theirs))])
        opened.arrives(within="T_recover")
        every(udp(pod, service) for pod in (*ours, *theirs) for service in (granted, withheld)).arrives()
        # What goes on may be let on. A TTL of its own is a socket of its own, so that these begin under the policies.
        datagrams = [udp(pod, withheld, ttl=64) for pod in (*ours, *theirs)] + [
            udp(pod, granted, ttl=64) for pod in ours
        ]
        with fresh_lab.granting(here, to="a", protocol=Protocol.TCP, withholding=there):
            opened.ends_in(Outcome.TIMEOUT, Outcome.REFUSED, Outcome.UNREACHABLE, within="T_policy")
            forbidden = every([opened, *datagrams])
            forbidden.must_not_arrive(control=every([*(tcp(pod, granted) for pod in ours), local]))
        forbidden.arrives(within="T_policy")
