"""Names of exported Services, asked for by pods of whole labs with the reference implementation.

They read like scenarios and are none: no row of the specification asks for names (docs/service-discovery.md).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.global_objects import EXPORTS, SERVICES
from l3conf.plugin.service_names import ServiceNames
from l3conf.testing import IPFamily, Lab, clusters, connect, every, tcp

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

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


@pytest.mark.topology("chain-of-three")
def test_a_name_with_two_exporters_leads_to_the_older_one_that_has_anybody_behind_it(fresh_lab: Lab) -> None:
    names, pod = ServiceNames(fresh_lab), fresh_lab.pods.of("b")[0]
    with names.serving("c") as service, names.serving("a", called=service), names.exported("c", service) as name:
        older = names.service(pod, name, of="c")
        fresh_lab.idle("W_glitch")  # exports are dated in whole seconds
        younger = partial(names.at, pod, name, own_address(fresh_lab, "a", service))
        back = partial(names.at, pod, name, frozenset(older.addresses))
        with names.exported("a", service):
            tcp(pod, older).arrives(within="T_allocate")
            with names.deserted("c", service):
                fresh_lab.eventually_none("nobody turns to the younger export", younger, within="T_allocate")
                tcp(pod, names.service(pod, name, of="a")).arrives()
            fresh_lab.eventually_none("nobody turns back", back, within="T_allocate")
            tcp(pod, older).arrives(within="T_allocate")
            fresh_lab.apis["c"].request("DELETE", f"{EXPORTS}/{service}")
            fresh_lab.eventually_none("the younger export does not take over", younger, within="T_allocate")
            tcp(pod, names.service(pod, name, of="a")).arrives()


@pytest.mark.topology("chain-of-three")
def test_the_younger_of_two_exports_says_that_its_ports_conflict(fresh_lab: Lab) -> None:
    names, pod = ServiceNames(fresh_lab), fresh_lab.pods.of("b")[0]
    with (
        names.serving("c") as service,
        names.serving("a", called=service, port=7200),
        names.exported("c", service) as name,
    ):
        older = names.service(pod, name, of="c")
        fresh_lab.idle("W_glitch")  # exports are dated in whole seconds
        with names.exported("a", service):

            def unsaid() -> list[str]:
                said = {cluster: names.conflict(cluster, service) for cluster in "ac"}
                return [f"{said}"] if said != {"a": "True PortConflict", "c": "False NoConflicts"} else []

            fresh_lab.eventually_none("the conflict is not said where it belongs", unsaid, within="T_allocate")
            assert names.at(pod, name, frozenset(older.addresses)) == []
            tcp(pod, older).arrives()


def own_address(lab: Lab, cluster: str, service: str) -> frozenset[IPAddress]:
    """Return a Service's ClusterIP."""
    return frozenset({ip_address(lab.apis[cluster].get(f"{SERVICES}/{service}")["spec"]["clusterIP"])})
