"""UDP flows that are older than the rules follow the rules."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest

from l3conf.emulator.kernel.attributes import attribute, nested, parse
from l3conf.emulator.kernel.flows import forget_flows, stale_original
from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import Backend, ServicePort
from l3conf.emulator.proxy.stale_flows import may_be_stale, udp_backends
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
        assert forget_flows(net.node, socket.AF_INET, udp_backends(service("b"))) == 1
        assert asked(client) == "b"
        load(net, service("c"))
        assert forget_flows(net.node, socket.AF_INET, udp_backends(service("c"))) == 1
        assert asked(client) == "c"
        assert forget_flows(net.node, socket.AF_INET, udp_backends(service("b", "c"))) == 0


def entry(family: int, protocol: int, asked: tuple[str, int], answered: tuple[str, int]) -> bytes:
    """Return an entry as the kernel writes it: what a client asked, and the reply that it expects."""
    client = ("192.0.2.77" if family == socket.AF_INET else "2001:db8::77", 40000)
    return _way(1, family, protocol, client, asked) + _way(2, family, protocol, answered, client)


def _way(kind: int, family: int, protocol: int, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    first = 1 if family == socket.AF_INET else 3
    ends = (source, destination)
    addresses = [attribute(first + at, socket.inet_pton(family, end[0])) for at, end in enumerate(ends)]
    ports = [attribute(2 + at, end[1].to_bytes(2, "big")) for at, end in enumerate(ends)]
    return nested(kind, nested(1, *addresses), nested(2, attribute(1, bytes([protocol])), *ports))


V4, V6, UDP, TCP = socket.AF_INET, socket.AF_INET6, socket.IPPROTO_UDP, socket.IPPROTO_TCP
SERVED = (str(CLUSTER_IP), 80)


@pytest.mark.parametrize(
    ("flow", "stale"),
    [
        (entry(V4, UDP, SERVED, (PODS["b"], 8080)), False),
        (entry(V4, UDP, SERVED, (PODS["c"], 8080)), True),
        (entry(V4, UDP, SERVED, (PODS["b"], 8081)), True),
        (entry(V4, UDP, SERVED, SERVED), True),
        (entry(V4, UDP, (str(CLUSTER_IP), 81), (str(CLUSTER_IP), 81)), False),
        (entry(V4, UDP, (PODS["c"], 80), (PODS["c"], 80)), False),
        (entry(V4, TCP, SERVED, (PODS["c"], 8080)), False),
        (entry(V6, UDP, ("2001:db8::20", 80), ("2001:db8:1::3", 8080)), False),
        (entry(V6, UDP, ("2001:db8::20", 80), ("2001:db8:1::4", 8080)), True),
    ],
)
def test_only_udp_to_a_served_address_that_no_backend_answers_is_stale(flow: bytes, stale: bool) -> None:  # noqa: FBT001
    served = {
        CLUSTER_IP.packed + b"\0\x50": {IPv4Address(PODS["b"]).packed + b"\x1f\x90"},
        IPv6Address("2001:db8::20").packed + b"\0\x50": {IPv6Address("2001:db8:1::3").packed + b"\x1f\x90"},
    }
    assert stale_original(flow, served) == (parse(flow)[1] if stale else None)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], service("b"), True),
        ([], service(), True),
        (service(), service("b"), True),
        (service("b"), service("b", "c"), False),
        (service("b", "c"), service("c"), True),
        (service("b"), service("c"), True),
        (service("b"), service(), True),
        (service("b"), [], False),
        (service("b"), service("b"), False),
    ],
)
def test_flows_are_looked_for_only_where_one_can_have_become_wrong(
    before: list[ServicePort], after: list[ServicePort], *, expected: bool
) -> None:
    assert may_be_stale(udp_backends(before), udp_backends(after)) is expected


def test_tcp_is_never_looked_for() -> None:
    assert udp_backends(replace(port, protocol="tcp") for port in service("b")) == {}


def test_of_two_services_with_one_address_the_first_answers_as_by_the_rules() -> None:
    first, second = (
        replace(service(by)[0], name=by, cluster_ip=address, external_ips=(IPv4Address("198.51.100.7"),))
        for by, address in (("b", CLUSTER_IP), ("c", CLUSTER_IP + 1))
    )
    answering = udp_backends([first, second])[IPv4Address("198.51.100.7"), 80]
    assert answering == {(IPv4Address(PODS["b"]), 8080)}
