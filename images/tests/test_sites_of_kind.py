"""The part of the kind lab that needs only docker, on a real engine: sites, their routers, faults of paths, removal.

Containers of the base image stand in for kind's nodes; everything else is the lab's own code.

::

    east (NAT, static maps) ── router ══ WAN ══ router ── west (the same)        outsider, broker on the WAN
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from images.tests.conftest import BASE, _base_file, run
from l3conf.errors import LabError
from l3conf.labs.kind import leftovers, paths, site_routers
from l3conf.labs.kind.claim import owner
from l3conf.labs.kind.containers import ContainerPlan, outsider_plan, router_container
from l3conf.labs.kind.engine import Engine
from l3conf.labs.kind.naming import KIND_CLUSTER_LABEL, names_of
from l3conf.labs.kind.networks import networks_of, same_host
from l3conf.labs.kind.settings import KindSettings
from l3conf.model.addressing import FIRST_NODE_OFFSET
from l3conf.model.faults import Cut, Delay
from l3conf.model.few_nodes import with_few_nodes
from l3conf.spec.files import load_topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from images.tests.private_engine import PrivateEngine
    from l3conf.labs.kind.naming import Names
    from l3conf.model.topology import ClusterSpec, Topology

TOPOLOGY = Path(__file__).parents[2] / "topologies" / "nat-both-static.yaml"
PORT = 4500
ANSWER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, sender = s.recvfrom(100)
    s.sendto(sender[0].encode(), sender)
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.bind(("", int(sys.argv[3])))
s.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
print(s.recv(100).decode(), end="")
"""


class Sites:
    """Two sites as the lab makes them, with a container in the place of each node."""

    def __init__(self, topology: Topology, names: Names, engine: Engine) -> None:
        self.names, self.engine = names, engine
        for plan in networks_of(topology, names):
            engine.make_network(plan)
        self.broker = self._stand_in(f"{names.broker}-control-plane", names.wan, names.broker)
        engine.run(outsider_plan(topology, names, BASE))
        self.topology = replace(topology, clusters=tuple(map(self._cluster, topology.clusters)))
        for cluster in self.topology.clusters:
            router = site_routers.router_plan(self.topology, cluster, names, {})
            engine.run(router_container(router, names, BASE))
            engine.sh(router.name, site_routers.setup_script(router))
            engine.sh(router.name, f"nft -f - <<'END'\n{router.ruleset}\nEND")
            for node in cluster.nodes:
                engine.sh(node.name, site_routers.node_script(cluster))
        engine.sh(names.outsider, site_routers.wan_host_script(self.topology, to_pods=True))

    def gateway(self, site: str) -> tuple[str, str]:
        """Return container and address of a site's gateway."""
        name = self.topology.cluster(site).gateway_nodes[0].name
        return name, self._address(name, self.names.cluster(site))

    def answer(self, container: str, address: str, port: int = PORT) -> None:
        """Have a container answer with the address that it was asked from."""
        stream, _ = self.engine.open(container, ["python3", "-c", ANSWER, address, str(port)])
        time.sleep(0.5)
        stream.close()

    def ask(self, container: str, address: str, *, source_port: int = 0) -> str:
        """Return the answer, or nothing."""
        words = ["python3", "-c", ASK, address, str(PORT), str(source_port)]
        return self.engine.exec(container, words, seconds=10)[1]

    def mac(self, site: str) -> str:
        """Return the hardware address of a site's router on the WAN."""
        networks = self.engine.inspect(self.names.router(site))["NetworkSettings"]["Networks"]
        return str(networks[self.names.wan]["MacAddress"])

    def _cluster(self, cluster: ClusterSpec) -> ClusterSpec:
        network = self.names.cluster(cluster.name)
        called = {node.name: self.names.node(cluster.name, place) for place, node in enumerate(cluster.nodes)}
        nodes = []
        for node in cluster.nodes:
            address = self._stand_in(called[node.name], network, network)
            number = same_host([ip_address(address)], cluster.node_cidrs)
            assert number is not None
            nodes.append(replace(node, name=called[node.name], number=number - FIRST_NODE_OFFSET))
        maps = tuple(replace(each, node=called[each.node]) for each in cluster.site.port_maps)
        return replace(cluster, nodes=tuple(nodes), site=replace(cluster.site, port_maps=maps))

    def _stand_in(self, name: str, network: str, cluster: str) -> str:
        plan = ContainerPlan(
            name=name,
            image=BASE,
            argv=("sleep", "infinity"),
            labels={KIND_CLUSTER_LABEL: cluster},
            networks=((network, ()),),
            capabilities=("NET_ADMIN", "NET_RAW"),
            user="0",
        )
        self.engine.run(plan)
        return self._address(name, network)

    def _address(self, name: str, network: str) -> str:
        return str(self.engine.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"])


@pytest.fixture(scope="module")
def base(engine: PrivateEngine) -> PrivateEngine:
    """Return the engine once it has the base image."""
    run(engine, "docker", "import", str(_base_file()), BASE)
    return engine


@pytest.fixture(scope="module")
def sites(base: PrivateEngine) -> Iterator[Sites]:
    of = with_few_nodes(load_topology(TOPOLOGY))
    engine = Engine(base.client.api)
    yield Sites(of, names_of(of, KindSettings(), owner()), engine)
    leftovers.remove(engine, leftovers.judge(*leftovers.find(engine), owner=owner()))


def test_everything_has_the_address_that_the_file_says(sites: Sites) -> None:
    assert sites.broker == "192.0.2.2"
    assert sites.gateway("east")[1].startswith("172.16.1.6")


def test_static_maps_lead_to_the_gateway_and_show_who_called(sites: Sites) -> None:
    (east, address), (west, _) = sites.gateway("east"), sites.gateway("west")
    sites.answer(east, address)
    assert sites.ask(sites.names.outsider, "192.0.2.10") == "192.0.2.3", "docker masquerades nothing on the way"
    assert sites.ask(west, "192.0.2.10", source_port=PORT) == "192.0.2.11", "and nobody sees who is behind a NAT"
    assert sites.ask(west, address) == "", "whose own address nobody has a way to"


def test_a_path_is_cut_by_sender_alone(sites: Sites) -> None:
    (east, address), (west, _) = sites.gateway("east"), sites.gateway("west")
    sites.answer(east, address, PORT + 300)
    cut = paths.at_receiver(Cut(source="west", destination="east"), sender=sites.mac("west"), table="l3conf-fault0")
    sites.engine.sh(sites.names.router("east"), cut.begin)
    try:
        assert sites.ask(west, "192.0.2.10") == ""
        assert sites.ask(sites.names.outsider, "192.0.2.10") == "192.0.2.3"
    finally:
        sites.engine.sh(sites.names.router("east"), cut.end)
    assert sites.ask(west, "192.0.2.10") == "192.0.2.11"


def test_a_delay_ends_without_a_trace_and_so_does_one_that_cannot_be(sites: Sites) -> None:
    delayed = Delay(source="east", destination="west", seconds=0.05)
    delay = paths.at_sender(delayed, receiver=sites.mac("west"), link="wan")
    router = sites.names.router("east")
    before = sites.engine.sh(router, "tc qdisc show dev wan")
    with contextlib.suppress(LabError):  # of kernels without netem
        sites.engine.sh(router, delay.begin)
        sites.engine.sh(router, delay.end)
    assert sites.engine.sh(router, "tc qdisc show dev wan") == before


def test_removal_leaves_what_is_not_ours(sites: Sites, base: PrivateEngine) -> None:
    api = base.client.api
    api.create_network("office")
    labels = {KIND_CLUSTER_LABEL: "production"}
    api.create_container(BASE, command=["sleep", "infinity"], name="production-control-plane", labels=labels)
    try:
        left = leftovers.judge(*leftovers.find(sites.engine), owner=owner())
        leftovers.remove(sites.engine, left)
        assert [one["Names"] for one in api.containers(all=True)] == [["/production-control-plane"]]
        assert {one["Name"] for one in api.networks()} == {"bridge", "host", "none", "office"}
    finally:
        api.remove_container("production-control-plane", force=True)
        api.remove_network("office")
