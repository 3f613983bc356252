"""UDP flows that are older than the rules follow the rules."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network

import pytest

from l3conf.emulator.kernel.flows import Flow, forget_flows
from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import Backend, ServicePort
from l3conf.emulator.proxy.stale_flows import stale_flows
from l3conf.model.topology import IPFamily
from l3conf.tests.proxy.net import PATIENCE, PODS, Net
from l3conf.tests.sandbox import sandboxed

CLUSTER_IP = IPv4Address("10.101.0.20")
SILENCE = 0.3
"""Seconds of nothing that count as no answer."""


def service(*served_by: str) -> list[ServicePort]:
    backends = tuple(Backend(IPv4Address(PODS[name]), 8080) for name in served_by)
    return [
        ServicePort(
            namespace="default",
            name="svc",
            port_name="dns",
            protocol="udp",
            port=80,
            cluster_ip=CLUSTER_IP,
            backends=backends,
        )
    ]


def load(net: Net, ports: list[ServicePort]) -> None:
    net.load(ruleset(ports, family=IPFamily.IPV4, cluster_cidrs=[IPv4Network("10.1.0.0/16")]))


def asked(client: socket.socket, patience: float = PATIENCE) -> str:
    """Return who answered the client's old flow, or "" if nobody did."""
    client.settimeout(patience)
    try:
        client.send(b"?")
        return client.recv(100).decode().split()[0]
    except (TimeoutError, ConnectionRefusedError):
        return ""


@sandboxed
def test_a_flow_from_before_the_service_reaches_it_once_it_is_forgotten() -> None:
    with Net() as net, net.places["a"].socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((str(CLUSTER_IP), 80))
        net.serve("b", 8080, socket.SOCK_DGRAM)
        net.serve("c", 8080, socket.SOCK_DGRAM)
        load(net, [])
        assert asked(client, SILENCE) == ""
        load(net, service("b"))
        assert asked(client, SILENCE) == "", "the kernel forgets by itself: this test proves nothing"
        assert forget_flows(net.node, socket.AF_INET, stale_flows(service("b"))) == 1
        assert asked(client) == "b"
        load(net, service("c"))
        assert forget_flows(net.node, socket.AF_INET, stale_flows(service("c"))) == 1
        assert asked(client) == "c"
        assert forget_flows(net.node, socket.AF_INET, stale_flows(service("b", "c"))) == 0


@pytest.mark.parametrize(
    ("flow", "stale"),
    [
        (Flow(17, CLUSTER_IP, 80, IPv4Address(PODS["b"]), 8080), False),
        (Flow(17, CLUSTER_IP, 80, IPv4Address(PODS["c"]), 8080), True),
        (Flow(17, CLUSTER_IP, 80, CLUSTER_IP, 80), True),
        (Flow(17, CLUSTER_IP, 81, CLUSTER_IP, 81), False),
        (Flow(17, IPv4Address(PODS["c"]), 80, IPv4Address(PODS["c"]), 80), False),
        (Flow(6, CLUSTER_IP, 80, IPv4Address(PODS["c"]), 8080), False),
    ],
)
def test_only_udp_to_a_served_address_that_no_backend_answers_is_stale(flow: Flow, stale: bool) -> None:  # noqa: FBT001
    assert stale_flows(service("b"))(flow) is stale
