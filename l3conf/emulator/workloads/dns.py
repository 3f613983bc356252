"""Cluster DNS as a built-in workload: image ``l3conf/dns:v1``, UDP and TCP port 53 in its pod's namespace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from l3conf.emulator.controllers.cache import Cache
from l3conf.emulator.controllers.served_resources import DEFINITIONS, defined_by
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.workloads.zone import build_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.emulator.cluster_api import ClusterAPI, Object
    from l3conf.emulator.node_runtime import PodNetwork
    from l3conf.emulator.workloads.zone import Zone
    from l3conf.model.topology import IPAddress

IMAGE = "l3conf/dns:v1"
PORT = 53
TTL_SECONDS = 5
"""As CoreDNS' kubernetes plug-in has it."""
SMALLEST_UDP = 512
IDLE_SECONDS = 10
"""After which a silent TCP client is let go."""
_SLICES = "endpointslices.discovery.k8s.io"
_IMPORTS = "serviceimports.multicluster.x-k8s.io"


def respond(wire: bytes, zone: Zone, *, limit: int | None) -> bytes | None:
    """Answer one message; None where there is nothing to say. ``limit`` is UDP's, unless the client allows more.

    Questions about other zones are refused: an emulated cluster has no upstream resolver.
    """
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.make_response(query, recursion_available=False)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        response.set_rcode(dns.rcode.NOTIMP)
    else:
        _answer(response, query.question[0], zone)
    return _fit(response, query, limit)


def _answer(response: dns.message.Message, question: dns.rrset.RRset, zone: Zone) -> None:
    name = question.name.to_text(omit_final_dot=True).lower()
    if question.rdclass != dns.rdataclass.IN or not zone.covers(name):
        response.set_rcode(dns.rcode.REFUSED)
        return
    response.flags |= dns.flags.AA
    answer = zone.lookup(name, dns.rdatatype.to_text(question.rdtype))
    for kind in dict.fromkeys(record.kind for record in answer.records):
        data = [record.data for record in answer.records if record.kind == kind]
        response.answer.append(dns.rrset.from_text(question.name, TTL_SECONDS, "IN", kind, *data))
    if not answer.exists:
        response.set_rcode(dns.rcode.NXDOMAIN)
    if not answer.records:
        response.authority.append(_start_of_authority(zone.apex(name)))


def _start_of_authority(domain: str) -> dns.rrset.RRset:
    """RFC 2308: what makes "no" cacheable, and for how long."""
    data = f"ns.dns.{domain}. hostmaster.{domain}. 1 7200 1800 86400 {TTL_SECONDS}"
    return dns.rrset.from_text(f"{domain}.", TTL_SECONDS, "IN", "SOA", data)


def _fit(response: dns.message.Message, query: dns.message.Message, limit: int | None) -> bytes:
    allowed = 65535 if limit is None else max(limit, query.payload if query.edns >= 0 else 0)
    try:
        return response.to_wire(max_size=allowed)
    except dns.exception.TooBig:
        response.answer.clear()
        response.authority.clear()
        response.flags |= dns.flags.TC
        return response.to_wire(max_size=allowed)


class DNSWorkload:
    """Serves the names of one cluster; implements ``node_runtime.BuiltinWorkload``."""

    def __init__(self, api: ClusterAPI, *, domain: str = "cluster.local") -> None:
        self._cache = Cache(api)
        self._domain = domain
        self._zone: Zone | None = None
        self._watching = False
        self._imports = False
        """Whether the API serves ServiceImports: only then there are names of the cluster set."""

    async def start(
        self,
        place: str,
        pod: Object,  # noqa: ARG002 - BuiltinWorkload
        network: PodNetwork,
        log: Callable[[str], None],
    ) -> DNSServer:
        """Serve on all addresses of the pod."""
        if not self._watching:
            self._watching = True
            for resource in ("services", _SLICES):
                self._cache.watch(resource, self._on_change)
            self._cache.watch(DEFINITIONS, self._on_definition)
        server = DNSServer(self.zone)
        await server.listen(network)
        log(f"{place}: serving {self._domain} on port {PORT}")
        return server

    def close(self) -> None:
        """End the watches."""
        self._cache.close()

    def zone(self) -> Zone:
        """Return the zone as the API has it now; rebuilt at the first question after a change."""
        if self._zone is None:
            imports = self._cache.list(_IMPORTS) if self._imports else None
            self._zone = build_zone(self._domain, self._cache.list("services"), self._cache.list(_SLICES), imports)
        return self._zone

    def _on_change(self, _before: Object | None, _after: Object | None) -> None:
        self._zone = None

    def _on_definition(self, before: Object | None, after: Object | None) -> None:
        definition = after or before
        resource = defined_by(definition) if definition is not None else None
        if resource is None or resource.name != _IMPORTS or self._imports is (after is not None):
            return
        self._imports, self._zone = after is not None, None
        if self._imports:
            self._cache.watch(_IMPORTS, self._on_change)
        else:
            self._cache.unwatch(_IMPORTS)


class DNSServer:
    """The sockets of one DNS pod; stands for its process (``node_runtime.RunningProcess``)."""

    pid = 0

    def __init__(self, zone: Callable[[], Zone]) -> None:
        self._zone = zone
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._clients: set[asyncio.StreamWriter] = set()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def listen(self, network: PodNetwork) -> None:
        """Open the sockets in the pod's namespace. Raises ``OSError``, and leaves nothing open then."""
        loop = asyncio.get_running_loop()
        try:
            for address in network.addresses:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    opened = _open(network, address, kind)
                    if kind == socket.SOCK_DGRAM:
                        transport, _ = await loop.create_datagram_endpoint(lambda: _UDP(self._zone), sock=opened)
                        self._transports.append(transport)
                    else:
                        self._servers.append(await asyncio.start_server(self._serve, sock=opened))
        except OSError:
            self.signal(signal.SIGKILL)
            raise

    async def wait(self) -> int:
        """Wait until a signal ends the server."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """End on any signal that ends a process by default."""
        if self._ended.done() or number not in {signal.SIGTERM, signal.SIGKILL, signal.SIGINT}:
            return
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        for writer in self._clients:
            writer.close()
        self._ended.set_result(0 if number == signal.SIGTERM else 128 + number)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer length-prefixed messages until the client goes (RFC 7766)."""
        self._clients.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    answer = respond(await reader.readexactly(size), self._zone(), limit=None)
                if answer is None:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            return
        finally:
            self._clients.discard(writer)
            writer.close()


class _UDP(asyncio.DatagramProtocol):
    def __init__(self, zone: Callable[[], Zone]) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the selector loop's datagram transport is a DatagramTransport in name only before 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = respond(data, self._zone(), limit=SMALLEST_UDP)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _open(network: PodNetwork, address: IPAddress, kind: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the IP version number
    with NetworkNamespace(os.open(network.namespace_path, os.O_RDONLY | os.O_CLOEXEC)) as namespace:
        opened = namespace.socket(family, kind)
    with contextlib.ExitStack() as on_error:
        on_error.callback(opened.close)
        opened.settimeout(0)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((str(address), PORT))
        on_error.pop_all()
    return opened
