"""The proxy's rules in a real kernel: who serves, and with which address clients are seen."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import Backend, ServicePort
from l3conf.model.topology import IPFamily
from l3conf.tests.proxy.net import NODE, OUTSIDE, PODS, Net
from l3conf.tests.sandbox import sandboxed

CLUSTER_IP = "10.101.0.20"
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


def rules(*ports: ServicePort) -> str:
    return ruleset(ports, family=IPFamily.IPV4, cluster_cidrs=[IPv4Network("10.1.0.0/16")])


def port(*served_by: str, protocol: str = "tcp", local: tuple[str, ...] = (), **settings: object) -> ServicePort:
    backends = tuple(Backend(IPv4Address(PODS[name]), 8080, name in local) for name in served_by)
    values: dict[str, Any] = {"name": "svc", "port": 80, "cluster_ip": IPv4Address(CLUSTER_IP)} | settings
    return ServicePort(namespace="default", port_name="http", protocol=protocol, backends=backends, **values)


@sandboxed
def test_a_pod_reaches_a_service_with_its_own_address() -> None:
    with Net() as net:
        for kind in (TCP, UDP):
            net.serve("b", 8080, kind)
        net.load(rules(port("b"), port("b", protocol="udp")))
        assert net.ask("a", CLUSTER_IP, 80) == ("b", PODS["a"])
        assert net.ask("a", CLUSTER_IP, 80, UDP) == ("b", PODS["a"])


@sandboxed
def test_a_source_outside_the_pod_range_is_masqueraded() -> None:
    with Net() as net:
        net.serve("b", 8080)
        net.load(rules(port("b")))
        assert net.ask("outside", CLUSTER_IP, 80) == ("b", "10.1.0.1")
        assert net.ask("node", CLUSTER_IP, 80) == ("b", "10.1.0.1")
        assert net.ask("outside", PODS["b"], 8080) == ("b", OUTSIDE)


@sandboxed
def test_a_pod_reaches_itself_through_its_service() -> None:
    with Net() as net:
        net.serve("a", 8080)
        net.load(rules(port("a")))
        assert net.ask("a", CLUSTER_IP, 80) == ("a", "10.1.0.1")


@sandboxed
def test_connections_spread_over_all_endpoints() -> None:
    with Net() as net:
        for name in "bc":
            net.serve(name, 8080)
        net.load(rules(port("b", "c")))
        assert {net.ask("a", CLUSTER_IP, 80)[0] for _ in range(64)} == {"b", "c"}


@sandboxed
def test_a_sticky_service_keeps_a_client_at_one_endpoint() -> None:
    with Net() as net:
        for name in "bc":
            net.serve(name, 8080)
        net.load(rules(port("b", "c", sticky=True)))
        assert len({net.ask("a", CLUSTER_IP, 80)[0] for _ in range(32)}) == 1


@sandboxed
def test_a_service_without_endpoints_and_a_wrong_port_are_refused_at_once() -> None:
    with Net() as net:
        net.serve("b", 8080)
        net.load(rules(port("b"), port(name="none", port=81), port(name="none", port=81, protocol="udp")))
        for source in ("a", "node", "outside"):
            with pytest.raises(ConnectionRefusedError):
                net.ask(source, CLUSTER_IP, 81)
            with pytest.raises(ConnectionRefusedError):
                net.ask(source, CLUSTER_IP, 82)
        with pytest.raises(ConnectionRefusedError):
            net.ask("a", CLUSTER_IP, 81, UDP)


@sandboxed
def test_internal_traffic_policy_local_uses_only_this_node() -> None:
    with Net() as net:
        for name in "bc":
            net.serve(name, 8080)
        net.load(rules(port("b", "c", local=("c",), internal_local=True)))
        assert {net.ask("a", CLUSTER_IP, 80)[0] for _ in range(16)} == {"c"}


@sandboxed
def test_node_ports_and_external_addresses_hide_the_client() -> None:
    with Net() as net:
        net.serve("b", 8080)
        net.load(rules(port("b", node_port=30080, external_ips=(IPv4Address("198.51.100.7"),))))
        assert net.ask("outside", NODE, 30080) == ("b", "10.1.0.1")
        assert net.ask("outside", "198.51.100.7", 80) == ("b", "10.1.0.1")


@sandboxed
def test_external_traffic_policy_local_keeps_the_client() -> None:
    with Net() as net:
        for name in "bc":
            net.serve(name, 8080)
        net.load(rules(port("b", "c", local=("c",), node_port=30080, external_local=True)))
        assert {net.ask("outside", NODE, 30080) for _ in range(16)} == {("c", OUTSIDE)}


@sandboxed
def test_new_rules_replace_the_old_ones_whole() -> None:
    with Net() as net:
        for name in "bc":
            net.serve(name, 8080)
        net.load(rules(port("b"), port("b", name="other", port=81)))
        net.load(rules(port("c")))
        assert net.ask("a", CLUSTER_IP, 80)[0] == "c"
        with pytest.raises(ConnectionRefusedError):
            net.ask("a", CLUSTER_IP, 81)
