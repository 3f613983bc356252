"""As what a pod is seen, the narrowest rule about it decides."""

from __future__ import annotations

import pytest

from l3conf.testing import Lab, SeenAs, every, tcp, verifies


@verifies("L3-H7")
@pytest.mark.topology("identical-ranges")
def test_a_pods_own_address_comes_before_a_selectors_before_the_namespaces_before_the_clusters(lab: Lab) -> None:
    """One object after the other appears and goes again, and the server says whom it sees. A neighbour is spared."""
    addresses, server = lab.global_addresses, lab.global_addresses.service("east")
    pod, neighbour = lab.pods.of("west")[:2]
    both = every([tcp(pod, server), tcp(neighbour, server)])
    both.arrives(seen_as=addresses.cluster_egress("west"))
    with addresses.egress("west", count=2) as of_namespace:
        both.arrives(seen_as=of_namespace, within="T_allocate")
        with addresses.egress("west", of=pod) as of_selector:
            tcp(pod, server).arrives(seen_as=of_selector, within="T_allocate")
            tcp(neighbour, server).arrives(seen_as=of_namespace)
            with addresses.of_pods(pod) as (own,):
                tcp(own, server).arrives(seen_as=SeenAs.ITSELF, within="T_allocate")
                tcp(neighbour, server).arrives(seen_as=of_namespace)
            tcp(pod, server).arrives(seen_as=of_selector, within="T_allocate")
        both.arrives(seen_as=of_namespace, within="T_allocate")
    both.arrives(seen_as=addresses.cluster_egress("west"), within="T_allocate")
