"""Names of exported Services, asked for by pods of whole labs with the reference implementation.

They read like scenarios and are none: no row of the specification asks for names (docs/service-discovery.md).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from l3conf.plugin.service_names import ServiceNames
from l3conf.testing import IPFamily, Lab, clusters, connect, every, tcp

pytestmark = pytest.mark.xdist_group("service-discovery")
GROUNDS = ("two-clusters", "identical-ranges", "partly-overlapping", "identical-ranges-v6")


@pytest.mark.topology(*GROUNDS)
def test_a_name_leads_to_who_exports_the_service_for_as_long_as_it_does(lab: Lab, family: IPFamily) -> None:
    names = ServiceNames(lab)
    for exporter in lab.members.joined:
        with names.serving(exporter) as service:
            with names.exported(exporter, service) as name:
                asked = [tcp(pod, names.service(pod, name, of=exporter), family=family) for pod in lab.pods.all]
                every(asked).arrives(within="T_allocate")
            lab.eventually_none("it is still known", partial(names.still_known, name), within="T_allocate")


@pytest.mark.topology(*GROUNDS)
def test_every_pod_behind_a_headless_service_has_a_name_of_its_own(lab: Lab, family: IPFamily) -> None:
    names, exporter = ServiceNames(lab), lab.members.joined[0]
    servers, client = lab.pods.of(exporter), lab.pods.of(lab.members.joined[1])[-1]
    with names.serving(exporter, headless=True) as service:
        with names.exported(exporter, service) as name:
            found = names.known(client, name, count=len(servers))
            single = {server: names.known(client, f"{server.name}.{exporter}.{name}") for server in servers}
            assert found == frozenset().union(*single.values())
            at = {replace(server, addresses=tuple(found)) for server, found in single.items()}
            every(tcp(client, server, family=family) for server in at).arrives()
        lab.eventually_none("it is still known", partial(names.still_known, name), within="T_allocate")


@pytest.mark.topology("chain-of-three")
def test_clusters_that_may_not_connect_do_not_learn_of_services(fresh_lab: Lab) -> None:
    names, pod = ServiceNames(fresh_lab), fresh_lab.pods.of("a")[0]
    with names.serving("c") as service, names.exported("c", service) as name:
        names.known(pod, name)
        with fresh_lab.policies.in_force(connect(clusters("b"), clusters("a", "c"))):
            fresh_lab.eventually_none(
                "a still knows it", lambda: names.still_known(name, "a") + names.held("a", name), within="T_policy"
            )
            assert names.still_known(name, "b") != []
        names.known(pod, name)


@pytest.mark.topology("chain-of-three")
def test_services_of_a_member_that_left_are_forgotten(fresh_lab: Lab) -> None:
    names, pod = ServiceNames(fresh_lab), fresh_lab.pods.of("a")[0]
    with names.serving("c") as service, names.exported("c", service) as name:
        names.known(pod, name)
        left = fresh_lab.members.leave("c")
        fresh_lab.eventually_none("it is still known", partial(names.still_known, name), within="T_leave", since=left)
        holders = ("a", "b", "c", "broker")
        assert [line for holder in holders for line in names.held(holder, name)] == []
        fresh_lab.members.join("c")
        names.known(pod, name)


@pytest.mark.topology("two-clusters")
def test_members_offer_services_in_their_own_name_alone(lab: Lab) -> None:
    names = ServiceNames(lab)
    with names.serving("east") as service, names.exported("east", service) as name:
        names.known(lab.pods.of("west")[0], name)
        (offered,) = names.offered(service)
        assert names.accepted(lab.account("east"), offered) != []
        assert names.accepted(lab.account("west"), offered) == []
