"""Names of exported Services, asked for by pods of whole labs with the reference implementation.

They read like scenarios and are none: no row of the specification asks for names (docs/service-discovery.md).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from l3conf.plugin.service_names import ServiceNames
from l3conf.testing import Lab, clusters, connect, every, tcp

pytestmark = pytest.mark.xdist_group("service-discovery")
GROUNDS = ("two-clusters", "identical-ranges", "partly-overlapping")


@pytest.mark.topology(*GROUNDS)
def test_a_name_leads_to_the_cluster_that_exports_the_service_until_it_no_longer_does(lab: Lab) -> None:
    names = ServiceNames(lab)
    for exporter in lab.members.joined:
        with names.exported(exporter) as name:
            asked = [tcp(pod, names.service(pod, name, of=exporter)) for pod in lab.pods.all]
            every(asked).arrives(within="T_allocate")
        lab.eventually_none("the name is still known", partial(names.still_known, name), within="T_allocate")


@pytest.mark.topology(*GROUNDS)
def test_every_pod_behind_a_headless_service_has_a_name_of_its_own(lab: Lab) -> None:
    names = ServiceNames(lab)
    exporter = lab.members.joined[0]
    servers = lab.pods.of(exporter)
    client = lab.pods.of(lab.members.joined[1])[-1]
    with names.exported(exporter, headless=True) as name:
        found = names.known(client, name, count=len(servers))
        single = {server: names.known(client, f"{server.name}.{exporter}.{name}") for server in servers}
        assert found == frozenset().union(*single.values())
        every(tcp(client, replace(server, addresses=tuple(at))) for server, at in single.items()).arrives()
    lab.eventually_none("the name is still known", lambda: names.still_known(name), within="T_allocate")


@pytest.mark.topology("chain-of-three")
def test_clusters_that_may_not_connect_do_not_learn_of_services(fresh_lab: Lab) -> None:
    names = ServiceNames(fresh_lab)
    (pod,) = fresh_lab.pods.one_in_each("a")
    with names.exported("c") as name:
        names.known(pod, name)
        with fresh_lab.policies.in_force(connect(clusters("b"), clusters("a", "c"))):
            fresh_lab.eventually_none(
                "a still knows it", lambda: names.still_known(name, "a") + names.held("a", name), within="T_policy"
            )
            assert names.still_known(name, "b") != []
        names.known(pod, name)
