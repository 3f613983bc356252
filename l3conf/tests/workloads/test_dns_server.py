"""The DNS workload on real sockets in a namespace."""

from __future__ import annotations

import asyncio
import signal
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

import dns.message
import dns.rcode

from l3conf.emulator.apiserver.server import APIServer
from l3conf.emulator.node_runtime import PodNetwork
from l3conf.emulator.workloads.dns import DNSWorkload
from l3conf.emulator.workloads.dns_manifests import dns_manifests
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from l3conf.emulator.workloads.dns import DNSServer

RANGE = IPv4Network("10.101.0.0/16")
NAME = "kube-dns.kube-system.svc.cluster.local."


async def _serve() -> tuple[APIServer, DNSWorkload, DNSServer, list[str]]:
    server = APIServer("east", service_cidrs=[RANGE], addresses=[IPv4Address("172.16.1.2")])
    for manifest in dns_manifests([RANGE]):
        resource = {"Service": "services", "Deployment": "deployments.apps"}[manifest["kind"]]
        server.api.create(resource, manifest)
    workload, lines = DNSWorkload(server.api), list[str]()
    network = PodNetwork(pod_uid="u", namespace_path="/proc/self/ns/net", addresses=(IPv4Address("127.0.0.1"),))
    process = await workload.start("east/kube-system/dns", {}, network, lines.append)
    for _ in range(3):
        await asyncio.sleep(0)
    return server, workload, process, lines


async def _by_tcp(name: str) -> dns.message.Message:
    reader, writer = await asyncio.open_connection("127.0.0.1", 53)
    wire = dns.message.make_query(name, "A").to_wire()
    writer.write(len(wire).to_bytes(2, "big") + wire)
    size = int.from_bytes(await reader.readexactly(2), "big")
    answer = dns.message.from_wire(await reader.readexactly(size))
    writer.close()
    await writer.wait_closed()
    return answer


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del addr
        self.answer.set_result(data)


async def _by_udp(name: str) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=("127.0.0.1", 53))
    transport.sendto(dns.message.make_query(name, "A").to_wire())
    answer = await asyncio.wait_for(client.answer, 5)
    transport.close()
    return dns.message.from_wire(answer)


@sandboxed
def test_the_cluster_finds_its_own_dns_by_udp_and_tcp_until_it_is_stopped() -> None:
    async def scenario() -> None:
        server, workload, process, lines = await _serve()
        assert "port 53" in lines[0]
        for ask in (_by_udp, _by_tcp):
            assert [item.to_text() for item in (await ask(NAME)).answer[0]] == ["10.101.0.10"]
        process.signal(signal.SIGTERM)
        assert await process.wait() == 0
        workload.close()
        del server

    asyncio.run(asyncio.wait_for(scenario(), 20))


@sandboxed
def test_new_services_are_answered_at_once() -> None:
    async def scenario() -> None:
        server, workload, process, _ = await _serve()
        port = {"name": "x", "port": 80}
        metadata = {"name": "new", "namespace": "default"}
        created = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [port]}}
        address = server.api.create("services", created)["spec"]["clusterIP"]
        answer = await _by_udp("new.default.svc.cluster.local.")
        assert [item.to_text() for item in answer.answer[0]] == [address]
        process.signal(signal.SIGKILL)
        assert await process.wait() == 137
        workload.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@sandboxed
def test_names_of_the_cluster_set_are_answered_for_as_long_as_the_api_serves_imports() -> None:
    async def scenario() -> None:
        server, workload, process, _ = await _serve()
        name = "web.default.svc.clusterset.local."
        assert (await _by_udp(name)).rcode() is dns.rcode.REFUSED
        server.api.create("customresourcedefinitions.apiextensions.k8s.io", _imports_defined())
        for _ in range(3):
            await asyncio.sleep(0)
        assert (await _by_udp(name)).rcode() is dns.rcode.NXDOMAIN
        metadata = {"name": "web", "namespace": "default"}
        head = {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport", "metadata": metadata}
        spec = {"type": "ClusterSetIP", "ips": ["100.64.0.9"], "ports": []}
        server.api.create("serviceimports.multicluster.x-k8s.io", {**head, "spec": spec})
        assert [item.to_text() for item in (await _by_udp(name)).answer[0]] == ["100.64.0.9"]
        server.api.delete("customresourcedefinitions.apiextensions.k8s.io", "serviceimports.multicluster.x-k8s.io")
        for _ in range(3):
            await asyncio.sleep(0)
        assert (await _by_udp(name)).rcode() is dns.rcode.REFUSED
        process.signal(signal.SIGKILL)
        await process.wait()
        workload.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def _imports_defined() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "serviceimports", "singular": "serviceimport", "kind": "ServiceImport"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "serviceimports.multicluster.x-k8s.io"},
        "spec": {
            "group": "multicluster.x-k8s.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


def test_the_dns_service_has_an_address_in_every_service_range() -> None:
    spec = dns_manifests([RANGE, IPv6Network("fd11:1::/112")])[0]["spec"]
    assert spec["clusterIPs"] == ["10.101.0.10", "fd11:1::a"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
