"""The tables of NetworkPolicies in a real kernel: who is heard, and what becomes of packets to a Service."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network

import pytest

from l3conf.emulator.policies.tables import NONE, node_table, pod_table
from l3conf.emulator.proxy.ruleset import ruleset
from l3conf.emulator.proxy.service_ports import Backend, ServicePort
from l3conf.model.topology import IPFamily
from l3conf.tests.proxy.net import NODE, PODS, Net, command
from l3conf.tests.sandbox import sandboxed

HOSTS = [IPv4Address(NODE), IPv4Address("10.1.0.1")]
SERVICES = [IPv4Network("10.101.0.0/16")]
CLUSTER_IPS = {"b": "10.101.0.20", "c": "10.101.0.30"}
FROM_B, TO_B = f"ip saddr {{ {PODS['b']} }} tcp dport 8080", f"ip daddr {{ {PODS['b']} }} tcp dport 8080"


def load(net: Net, pod: str, text: str) -> None:
    command(net.places[pod], "nft", "-f", "-", stdin=text)


def is_silent(net: Net, source: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> bool:
    with pytest.raises(TimeoutError):
        net.ask(source, address, port, kind)
    return True


@sandboxed
def test_a_pod_hears_whom_it_may_and_its_node() -> None:
    with Net() as net:
        net.serve("a", 8080)
        load(net, "a", pod_table([FROM_B], None, node=HOSTS, services=SERVICES))
        assert net.ask("b", PODS["a"], 8080) == ("a", PODS["b"])
        assert net.ask("node", PODS["a"], 8080)[0] == "a"
        assert is_silent(net, "c", PODS["a"], 8080)
        load(net, "a", NONE)
        assert net.ask("c", PODS["a"], 8080) == ("a", PODS["c"])


@sandboxed
def test_a_pod_that_hears_nobody_gets_answers_to_what_it_asks() -> None:
    with Net() as net:
        net.serve("b", 8080)
        load(net, "a", pod_table([], None, node=HOSTS, services=SERVICES))
        assert net.ask("a", PODS["b"], 8080) == ("b", PODS["a"])


@sandboxed
def test_what_goes_to_a_service_is_judged_by_where_it_really_goes() -> None:
    with Net() as net:
        for name in "bc":
            net.serve(name, 8080)
        ports = [
            ServicePort(
                namespace="default",
                name=name,
                port_name="http",
                protocol="tcp",
                port=80,
                cluster_ip=IPv4Address(address),
                backends=(Backend(IPv4Address(PODS[name]), 8080, False),),  # noqa: FBT003 - whether it is on this node
            )
            for name, address in CLUSTER_IPS.items()
        ]
        net.load(ruleset(ports, family=IPFamily.IPV4, cluster_cidrs=[IPv4Network("10.1.0.0/16")]))
        load(net, "a", pod_table(None, [TO_B], node=HOSTS, services=SERVICES))
        net.load(node_table({IPv4Address(PODS["a"]): [TO_B]}))
        assert net.ask("a", PODS["b"], 8080) == ("b", PODS["a"])
        assert net.ask("a", CLUSTER_IPS["b"], 80) == ("b", PODS["a"])
        assert is_silent(net, "a", PODS["c"], 8080)
        assert is_silent(net, "a", CLUSTER_IPS["c"], 80)
        assert net.ask("b", CLUSTER_IPS["c"], 80) == ("c", PODS["b"]), "others are not isolated"
