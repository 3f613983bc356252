"""Connections to Services go on through a gateway that was told of them, whoever speaks first."""

from __future__ import annotations

import itertools
import json
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from reference_impl.drivers.conntrack_table import ConntrackTable
from reference_impl.drivers.service_flows import KernelServiceFlows
from reference_impl.flows import ServiceFlow
from reference_impl.tests.kernel.conversation import appear, converse
from reference_impl.tests.kernel.sandbox import Host, cable, sandboxed

CALLS = 8
PORT, TARGET = 80, 7002
RANGES = {4: ("10.2.0.{}", "10.1.0.{}", "10.101.0.9", 24), 6: ("fd02::{}", "fd01::{}", "fd65::9", 64)}
"""By version: addresses of the client's side, of backends, of the Service, and the length of prefixes."""


@sandboxed
@pytest.mark.parametrize(
    ("version", "first", "told"),
    [(4, "client", True), (4, "backend", True), (6, "client", True), (6, "backend", True), (4, "client", False)],
    ids=["IPv4", "IPv4, backends speak first", "IPv6", "IPv6, backends speak first", "not told"],
)
def test_connections_to_a_service_go_on_through_a_gateway_that_was_told_of_them(
    version: int,
    first: str,
    told: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Of three backends a gateway that knows nothing chooses another one for most: these connections are lost."""
    client, gateway, backends = build(version)
    service = RANGES[version][2]
    with tempfile.TemporaryDirectory() as folder:
        for backend in backends:
            backend.background(partial(converse, folder, TARGET, first=first == "backend"))
        with ThreadPoolExecutor(CALLS) as pool:
            calls = [
                pool.submit(client.run, partial(_call, service, folder, str(index), first=first == "client"))
                for index in range(CALLS)
            ]
            for index in range(CALLS):
                appear(Path(folder, f"begun-{index}"))
            known = gateway.run(_known)
            gateway.run(partial(_take_over, version, known if told else "[]"))
            Path(folder, "go").touch()
            went_on = [call.result() for call in calls].count("went on")
    assert len(json.loads(known)) == CALLS
    assert went_on == CALLS if told else went_on < CALLS


@sandboxed
def test_a_gateway_hears_of_flows_as_they_begin_and_can_end_them() -> None:
    client, gateway, backends = build(4)
    with tempfile.TemporaryDirectory() as folder:
        for backend in backends:
            backend.background(partial(converse, folder, TARGET, first=False))
        heard = gateway.run(partial(_hear, client, folder))
    assert heard == "10.2.0.2 -> 10.101.0.9:80, gone afterwards"


@sandboxed
def test_a_flow_to_a_backend_that_is_known_here_otherwise_takes_its_place_when_it_comes_in_here() -> None:
    """As on the node of the backend, while another gateway translates for it."""
    client, gateway, backends = build(4)
    with tempfile.TemporaryDirectory() as folder:
        backends[0].background(partial(converse, folder, TARGET, first=False))
        assert gateway.run(partial(_replace, client, folder)) == "could not be put, was taken"


def build(version: int) -> tuple[Host, Host, list[Host]]:
    """Connect a client and three backends by a gateway that translates as a node's proxy does, by chance."""
    here, there, service, length = RANGES[version]
    word, nodad = ("ip", "") if version == 4 else ("ip6", " nodad")
    client, gateway, backends = Host("client"), Host("gateway"), [Host(f"backend{number}") for number in range(3)]
    for host in (client, gateway, *backends):
        host.shell("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0")
    gateway.shell("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; ip link add cni0 type bridge")
    gateway.shell(f"ip addr add {there.format(1)}/{length} dev cni0{nodad}; ip link set cni0 up")
    cable(gateway, "wan", client, "eth0")
    gateway.shell(f"ip addr add {here.format(1)}/{length} dev wan{nodad}")
    client.shell(f"ip addr add {here.format(2)}/{length} dev eth0{nodad}; ip route add default via {here.format(1)}")
    for number, backend in enumerate(backends):
        cable(gateway, f"pod{number}", backend, "eth0")
        gateway.shell(f"ip link set pod{number} master cni0")
        own = f"{there.format(number + 2)}/{length}"
        backend.shell(f"ip addr add {own} dev eth0{nodad}; ip route add default via {there.format(1)}")
    targets = [there.format(number + 2) if version == 4 else f"[{there.format(number + 2)}]" for number in range(3)]
    chains = "\n".join(
        f"chain to{number} {{ meta l4proto tcp dnat to {each}:{TARGET}; }}" for number, each in enumerate(targets)
    )
    verdicts = ", ".join(f"{number} : goto to{number}" for number in range(3))
    gateway.shell(
        f"""nft 'table {word} proxy {{ {chains}
        chain arriving {{ type nat hook prerouting priority dstnat;
        {word} daddr {service} tcp dport {PORT} numgen random mod 3 vmap {{ {verdicts} }}; }}
        }}'"""
    )
    return client, gateway, backends


def _call(address: str, folder: str, name: str, *, first: bool, port: int = PORT, own: int = 0) -> str:
    with socket.create_connection((address, port), timeout=3, source_address=("", own)) as connection:
        connection.sendall(b"?")
        connection.recv(1)
        Path(folder, f"begun-{name}").touch()
        appear(Path(folder, "go"))
        try:
            if not first and connection.recv(1) != b"!":
                return "ended"
            connection.sendall(b"?")
            return "went on" if connection.recv(1) == b"?" else "ended"
        except OSError as error:
            return str(error)


def _known() -> str:
    flows = KernelServiceFlows()
    found = [{name: str(value) for name, value in asdict(flow).items()} for flow in flows.flows()]
    flows.close()
    return json.dumps(found)


def _take_over(version: int, known: str) -> str:
    """Be another gateway: forget everything, and know what one was told."""
    with ConntrackTable(version) as table:
        for entry in tuple(table.entries()):
            table.delete(entry)
    flows = KernelServiceFlows()
    for said in json.loads(known):
        ends = [(ip_address(said[name]), int(said[f"{name}_port"])) for name in ("client", "service", "backend")]
        flows.put(ServiceFlow(int(said["protocol"]), *itertools.chain(*ends)), 60)  # type: ignore[arg-type]
    flows.close()
    return ""


def _replace(client: Host, folder: str) -> str:
    Path(folder, "go").touch()
    assert client.run(partial(_call, "10.1.0.2", folder, "0", first=True, port=TARGET, own=40000)) == "went on"
    flow = ServiceFlow(
        socket.IPPROTO_TCP,
        ip_address("10.2.0.2"),
        40000,
        ip_address(RANGES[4][2]),
        PORT,
        ip_address("10.1.0.2"),
        TARGET,
    )
    flows = KernelServiceFlows()
    words = ["was put" if flows.put(flow, 60) else "could not be put"]
    flows.take(flow, 60)
    words += ["was taken" if flows.flows() == [flow] else f"is {flows.flows()}"]
    flows.close()
    return ", ".join(words)


def _hear(client: Host, folder: str) -> str:
    flows = KernelServiceFlows()
    news = flows.hear()
    Path(folder, "go").touch()
    client.run(partial(_call, RANGES[4][2], folder, "0", first=True))
    (flow,) = news.read()
    flows.end(flow)
    flows.end(flow)
    left = [] if flow in flows.flows() else ["gone afterwards"]
    for each in (news, flows):
        each.close()
    return ", ".join([f"{flow.client} -> {flow.service}:{flow.service_port}", *left])
