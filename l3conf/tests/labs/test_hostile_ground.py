"""Labs with IPv6, and with other network plugins than the plain one, serve what a cluster is for."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.labs.emulated import EmulatedLab
from l3conf.model import addressing
from l3conf.model.topology import IPFamily
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.plugin.cluster_api import ClusterAPI
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.model.topology import IPAddress

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
NAMES = ("v6-only", "dual-stack", "mixed-families", "mixed-plugins")
PROBES = "/api/v1/namespaces/l3conf-probes"
PATIENCE = 20.0

pytestmark = pytest.mark.xdist_group("emulated-lab")


@pytest.fixture(scope="module", params=NAMES)
def lab(request: pytest.FixtureRequest) -> Iterator[EmulatedLab]:
    topology = dataclasses.replace(load_topology(TOPOLOGIES / f"{request.param}.yaml"), pods_per_node=1)
    running = EmulatedLab.start(topology)
    try:
        wait_for_services(running)
        yield running
    finally:
        running.close()


def wait_for_services(lab: EmulatedLab) -> None:
    """Wait until every kube-proxy has heard of the pods; asked over TCP, each time from a new port."""
    probes = [
        Probe(source=place, destination=ip_address(text), port=7100, protocol=Protocol.TCP, timeout=0.5)
        for spec in lab.topology.clusters
        for place in pods(lab, spec.name)
        for text in service_of(lab, spec.name)["clusterIPs"]
    ]
    deadline = time.monotonic() + PATIENCE
    while probes and time.monotonic() < deadline:
        probes = [seen.probe for seen in lab.probe(probes) if seen.outcome is not Outcome.DELIVERED]
    assert not probes


def read(lab: EmulatedLab, cluster: str, path: str) -> Any:  # noqa: ANN401 - JSON
    with contextlib.closing(ClusterAPI(cluster, lab.clusters[cluster].kubeconfig, timeout=PATIENCE)) as api:
        return api.get(path)


def service_of(lab: EmulatedLab, cluster: str) -> dict[str, Any]:
    """Return the ``spec`` of the Service over the probe pods."""
    spec: dict[str, Any] = read(lab, cluster, f"{PROBES}/services/probe")["spec"]
    return spec


def pods(lab: EmulatedLab, cluster: str) -> dict[str, list[IPAddress]]:
    """Return the addresses of probe pods by place."""
    found = read(lab, cluster, f"{PROBES}/pods")["items"]
    return {
        f"{cluster}/l3conf-probes/{pod['metadata']['name']}": [ip_address(one["ip"]) for one in pod["status"]["podIPs"]]
        for pod in found
    }


def all_arrive(lab: EmulatedLab, probes: list[Probe]) -> None:
    missed = [str(seen) for seen in lab.probe(probes) if seen.outcome is not Outcome.DELIVERED]
    assert not missed


def test_pods_and_nodes_show_their_addresses_of_every_family(lab: EmulatedLab) -> None:
    for spec in lab.topology.clusters:
        families = [IPFamily.of(cidr) for cidr in spec.pod_cidrs]
        for addresses in pods(lab, spec.name).values():
            assert [IPFamily.of(address) for address in addresses] == families
        for index, node in enumerate(read(lab, spec.name, "/api/v1/nodes")["items"]):
            internal = [one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP"]
            assert internal == [str(address) for address in addressing.node_addresses(spec, index)]
            assert node["spec"]["podCIDRs"] == [str(slice_) for slice_ in addressing.pod_ranges(spec, index)]


def test_pods_reach_pods_and_the_services_of_their_cluster_in_every_family(lab: EmulatedLab) -> None:
    probes = []
    for spec in lab.topology.clusters:
        places = pods(lab, spec.name)
        service = service_of(lab, spec.name)
        assert service["ipFamilies"] == [IPFamily.of(cidr).value for cidr in spec.service_cidrs]
        targets = [
            *map(ip_address, service["clusterIPs"]),
            *(one for addresses in places.values() for one in addresses),
        ]
        probes += [
            Probe(source=place, destination=target, port=7100, protocol=protocol)
            for place in places
            for target in targets
            for protocol in (Protocol.UDP, Protocol.TCP)
        ]
    all_arrive(lab, probes)


def test_names_resolve_in_every_family_and_the_api_answers_pods(lab: EmulatedLab) -> None:
    script = (
        "import socket, sys; "
        "name = 'probe.l3conf-probes.svc.cluster.local'; "
        "print(*sorted({e[4][0] for e in socket.getaddrinfo(name, 7100)})); "
        "socket.create_connection(('kubernetes.default', 443), 5).close()"
    )
    for spec in lab.topology.clusters:
        service = service_of(lab, spec.name)
        for place in pods(lab, spec.name):
            code, out, err = lab.run(place, [sys.executable, "-c", script], timeout=PATIENCE)
            assert code == 0, err
            assert sorted(out.split()) == sorted(service["clusterIPs"])


def test_pods_reach_the_broker_and_the_outsider_behind_their_node(lab: EmulatedLab) -> None:
    outsiders = addressing.wan_addresses(lab.topology, addressing.OUTSIDER_OFFSET)
    for spec in lab.topology.clusters:
        hidden = {str(one) for index in range(len(spec.nodes)) for one in addressing.node_addresses(spec, index)}
        places = list(pods(lab, spec.name))
        for seen in lab.probe(
            [Probe(source=place, destination=one, port=7100) for place in places for one in outsiders]
        ):
            assert seen.outcome is Outcome.DELIVERED, seen
            assert str(seen.seen_as) in hidden
        broker = lab.broker.member_server.removeprefix("https://").rpartition(":")[0].strip("[]")
        connect = f"import socket; socket.create_connection(({broker!r}, 6443), 5).close()"
        for place in places:
            code, _, err = lab.run(place, [sys.executable, "-c", connect], timeout=PATIENCE)
            assert code == 0, err


def test_a_cut_silences_one_direction_in_every_family_of_the_wan(lab: EmulatedLab) -> None:
    east, west = lab.topology.clusters
    probes = [
        Probe(source=f"east@{east.nodes[0].name}", destination=address, port=7100, timeout=0.5)
        for address in addressing.node_addresses(west, 0)
    ]
    all_arrive(lab, probes)
    with lab.cut("east", "west"):
        assert [seen.outcome for seen in lab.probe(probes)] == [Outcome.TIMEOUT] * len(probes)
    all_arrive(lab, probes)
