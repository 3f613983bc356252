"""Each kind of NAT is classified from outside, in the terms of RFC 4787 and by its method (RFC 5780)."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import socket
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.fabric.build import Fabric
from l3conf.model.site import NATKind, PortMap, SiteSpec
from l3conf.model.topology import Topology
from l3conf.tests.fabric.topologies import cluster, pair
from l3conf.tests.fabric.udp import PATIENCE, SILENCE, error_of, seen_as
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Iterator

Endpoint = tuple[str, int]
PUBLIC, BROKER, OUTSIDER = "192.0.2.10", "192.0.2.2", "192.0.2.3"
INNER_PORT = 4500
MAPS = (PortMap(external=4500, node="east-1", port=4500), PortMap(external=4600, node="east-2", port=4500))


def behind(site: SiteSpec) -> Topology:
    """Return the pair, its first cluster on a site like that."""
    topology = pair()
    east = dataclasses.replace(topology.cluster("east"), site=site)
    return dataclasses.replace(topology, clusters=(east, topology.cluster("west")))


@contextlib.contextmanager
def bound(fabric: Fabric, key: str, port: int) -> Iterator[socket.socket]:
    """Open a UDP socket on a port of all of a namespace's addresses."""
    with fabric.namespace(key).socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("0.0.0.0", port))
        opened.settimeout(PATIENCE)
        yield opened


def crosses(sender: socket.socket, to: Endpoint, receiver: socket.socket) -> Endpoint | None:
    """Send a datagram; return the source that the receiver saw, None if it saw none."""
    sender.sendto(b"probe", to)
    receiver.settimeout(SILENCE)
    try:
        return tuple(receiver.recvfrom(100)[1])
    except TimeoutError:
        return None
    finally:
        receiver.settimeout(PATIENCE)


def mapped(sender: socket.socket, to: Endpoint, receiver: socket.socket) -> Endpoint:
    seen = crosses(sender, to, receiver)
    assert seen is not None, f"nothing got out to {to}"
    return seen


@dataclass(frozen=True)
class Behaviour:
    """What RFC 4787 asks about a NAT."""

    mapping: str
    filtering: str
    hairpinning: bool
    port: str


def behaviour_of(fabric: Fabric, inner_port: int) -> Behaviour:
    """Classify the NAT in front of ``east`` from the broker and the outsider."""
    with contextlib.ExitStack() as stack:
        inside = stack.enter_context(bound(fabric, "east@east-1", inner_port))
        neighbour = stack.enter_context(bound(fabric, "east@east-2", 7000))
        near, other, far = (
            stack.enter_context(bound(fabric, key, port))
            for key, port in (("broker", 7000), ("broker", 7001), ("@outsider", 7000))
        )
        external = mapped(inside, (BROKER, 7000), near)
        assert external[0] == PUBLIC
        filtering = _filtering(external, inside, other, far)
        hairpin = crosses(neighbour, external, inside)
        assert hairpin is None or hairpin[0] == PUBLIC, "RFC 4787 REQ-9: an external source"
        mappings = [mapped(inside, (BROKER, 7001), other), mapped(inside, (OUTSIDER, 7000), far)]
        return Behaviour(_mapping(external, *mappings), filtering, hairpin is not None, _port(external, inner_port))


def _filtering(external: Endpoint, inside: socket.socket, other: socket.socket, far: socket.socket) -> str:
    if crosses(far, external, inside):
        return "endpoint-independent"
    return "address-dependent" if crosses(other, external, inside) else "address and port-dependent"


def _mapping(first: Endpoint, same_host: Endpoint, other_host: Endpoint) -> str:
    if first == same_host == other_host:
        return "endpoint-independent"
    return "address-dependent" if first == same_host else "address and port-dependent"


def _port(external: Endpoint, inner_port: int) -> str:
    return "preserved" if external[1] == inner_port else "other"


@sandboxed
def test_endpoint_independent_nat_maps_by_endpoint_and_filters_by_address_and_port() -> None:
    with Fabric.build(behind(SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT))) as fabric:
        expected = Behaviour("endpoint-independent", "address and port-dependent", hairpinning=False, port="other")
        assert [behaviour_of(fabric, port) for port in (500, INNER_PORT, 51820)] == [expected] * 3


@sandboxed
def test_endpoint_independent_nat_keeps_hosts_with_the_same_port_apart() -> None:
    with (
        Fabric.build(behind(SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT))) as fabric,
        bound(fabric, "east@east-1", INNER_PORT) as one,
        bound(fabric, "east@east-2", INNER_PORT) as two,
        bound(fabric, "broker", 7000) as near,
        bound(fabric, "@outsider", 7000) as far,
    ):
        assert mapped(one, (BROKER, 7000), near) != mapped(two, (OUTSIDER, 7000), far)


@sandboxed
def test_symmetric_nat_maps_each_destination_to_a_random_port() -> None:
    with Fabric.build(behind(SiteSpec(nat=NATKind.ADDRESS_AND_PORT_DEPENDENT))) as fabric:
        filtering = "address and port-dependent"
        expected = Behaviour("address and port-dependent", filtering, hairpinning=False, port="other")
        assert behaviour_of(fabric, INNER_PORT) == expected
        with bound(fabric, "broker", 7002) as server, contextlib.ExitStack() as stack:
            inside = [stack.enter_context(bound(fabric, "east@east-1", port)) for port in range(6000, 6010)]
            steps = {mapped(each, (BROKER, 7002), server)[1] - each.getsockname()[1] for each in inside}
        assert len(steps) > 5, "ports follow one another"


@sandboxed
def test_a_mapped_port_is_open_to_everyone_and_seen_as_mapped() -> None:
    with Fabric.build(behind(SiteSpec(nat=NATKind.STATIC, port_maps=MAPS))) as fabric:
        expected = Behaviour("endpoint-independent", "endpoint-independent", hairpinning=True, port="preserved")
        assert behaviour_of(fabric, INNER_PORT) == expected


@sandboxed
def test_all_other_ports_of_a_static_nat_are_endpoint_independent() -> None:
    with Fabric.build(behind(SiteSpec(nat=NATKind.STATIC, port_maps=MAPS))) as fabric:
        expected = Behaviour("endpoint-independent", "address and port-dependent", hairpinning=False, port="other")
        assert behaviour_of(fabric, INNER_PORT + 1) == expected


@sandboxed
def test_mapped_ports_lead_to_their_nodes_before_these_ever_sent() -> None:
    with (
        Fabric.build(behind(SiteSpec(nat=NATKind.STATIC, port_maps=MAPS))) as fabric,
        bound(fabric, "east@east-2", INNER_PORT) as inside,
        bound(fabric, "@outsider", 7000) as far,
    ):
        assert crosses(far, (PUBLIC, 4600), inside) == (OUTSIDER, 7000)
        assert crosses(inside, (OUTSIDER, 7000), far) == (PUBLIC, 4600)


@sandboxed
@pytest.mark.parametrize(("timeout", "alive"), [(1, False), (30, True)])
def test_a_mapping_lives_as_long_as_the_topology_says(timeout: int, alive: bool) -> None:  # noqa: FBT001 - a parameter
    site = SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT, udp_timeout=timeout)
    with (
        Fabric.build(behind(site)) as fabric,
        bound(fabric, "east@east-1", INNER_PORT) as inside,
        bound(fabric, "broker", 7000) as near,
    ):
        external = mapped(inside, (BROKER, 7000), near)
        assert crosses(near, external, inside) is not None
        inside.settimeout(timeout + 1.0 if not alive else 2.0)  # silence is the event here
        with pytest.raises(TimeoutError):
            inside.recv(100)
        assert (crosses(near, external, inside) is not None) is alive


@sandboxed
def test_nobody_routes_to_a_lan_behind_nat() -> None:
    with Fabric.build(behind(SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT))) as fabric:
        node = ip_address("172.16.1.10")
        for key in ("west@west-1", "broker", "@outsider"):
            assert error_of(fabric.namespace(key), node) == errno.ENETUNREACH, key
        assert seen_as(fabric.namespace("east@east-1"), fabric.namespace("west@west-1"), ip_address("172.16.2.10")) == (
            PUBLIC
        )


@sandboxed
def test_what_an_outsider_routes_to_the_nat_itself_is_dropped() -> None:
    with (
        Fabric.build(behind(SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT))) as fabric,
        bound(fabric, "@outsider", 7001) as far,
    ):
        pod, [address] = fabric.add_pod("east", "east-1", "a")
        with pod.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
            inside.bind((str(address), 7000))
            assert crosses(far, (str(address), 7000), inside) is None


def shared() -> Topology:
    """Return three clusters: ``east`` and ``north`` behind the address of ``west``."""
    west = dataclasses.replace(cluster(2, "west"), site=SiteSpec(nat=NATKind.ENDPOINT_INDEPENDENT))
    east, north = (
        dataclasses.replace(cluster(number, name), site=SiteSpec(public_address_of="west"))
        for number, name in ((1, "east"), (3, "north"))
    )
    return Topology(name="shared", clusters=(east, west, north), wan_cidrs=(ip_network("192.0.2.0/24"),))


@sandboxed
def test_sites_behind_one_address_are_seen_as_one_and_reach_each_other_without_it() -> None:
    with Fabric.build(shared()) as fabric:
        nodes = {name: fabric.namespace(f"{name}@{name}-1") for name in ("east", "west", "north")}
        seen = {name: seen_as(node, fabric.namespace("broker"), ip_address(BROKER)) for name, node in nodes.items()}
        assert set(seen.values()) == {"192.0.2.11"}
        lans = {"east": "172.16.1.10", "west": "172.16.2.10", "north": "172.16.3.10"}
        for source, node in nodes.items():
            for target, address in lans.items():
                if source != target:
                    assert seen_as(node, nodes[target], ip_address(address)) == lans[source]
        assert error_of(fabric.namespace("broker"), ip_address("172.16.1.10")) == errno.ENETUNREACH
        assert fabric.plan.wan_ports["east"] == fabric.plan.wan_ports["west"]


@sandboxed
def test_static_maps_of_one_address_lead_to_several_sites() -> None:
    topology = shared()
    owner, other = (PortMap(external=port, node=node, port=4500) for port, node in ((4500, "west-1"), (4501, "east-1")))
    east, west, north = topology.clusters
    clusters = (
        dataclasses.replace(east, site=SiteSpec(public_address_of="west", port_maps=(other,))),
        dataclasses.replace(west, site=SiteSpec(nat=NATKind.STATIC, port_maps=(owner,))),
        north,
    )
    with (
        Fabric.build(dataclasses.replace(topology, clusters=clusters)) as fabric,
        bound(fabric, "@outsider", 7000) as far,
        bound(fabric, "west@west-1", 4500) as one,
        bound(fabric, "east@east-1", 4500) as two,
        bound(fabric, "north@north-1", 4500) as three,
    ):
        assert crosses(far, ("192.0.2.11", 4500), one) == (OUTSIDER, 7000)
        assert crosses(far, ("192.0.2.11", 4501), two) == (OUTSIDER, 7000)
        assert crosses(two, (OUTSIDER, 7000), far) == ("192.0.2.11", 4501)
        assert crosses(three, ("192.0.2.11", 4501), two) is not None
