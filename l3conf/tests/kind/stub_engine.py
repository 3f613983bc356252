"""A docker engine that answers like a real one and runs nothing; ``stub_http`` serves it to the real client.

Shapes, status codes and messages follow the Engine API's specification (moby, ``api/swagger.yaml``, version 1.41) and
the daemon's own errors (moby, ``daemon/`` and ``libnetwork/``), as Docker 20.10 and later give them. What commands in
containers do is the test's to say; what a container's processes would do does not happen.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from l3conf.tests.kind.stub_values import Command, Refusal, StubContainer, StubNetwork, frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

API_VERSION, VERSION = "1.41", "20.10.24"


Result = tuple[int, str, str]


@dataclass(slots=True)
class StubEngine:
    """The engine's state. ``on_exec`` answers commands; ``refuse`` may answer any request with an error."""

    images: set[str] = field(default_factory=set)
    info: dict[str, Any] = field(default_factory=dict)
    containers: dict[str, StubContainer] = field(default_factory=dict)
    networks: dict[str, StubNetwork] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    on_exec: Callable[[Command], Result | None] = lambda _command: (0, "", "")
    refuse: Callable[[str, str], Refusal | None] = lambda _method, _path: None
    delay: Callable[[str, str], float] = lambda _method, _path: 0.0
    killed: Callable[[str], None] = lambda _container: None
    """Told of every container that is sent a signal."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """By path: bytes that are sent in place of an answer."""
    _execs: dict[str, tuple[Command, Result | None]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    # ---- containers

    def create(self, name: str, body: dict[str, Any]) -> StubContainer:
        with self.lock:
            if name in self.containers:
                other = self.containers[name].id
                raise Refusal(409, f'Conflict. The container name "/{name}" is already in use by container "{other}".')
            if body["Image"] not in self.images:
                raise Refusal(404, f"No such image: {body['Image']}")
            container = StubContainer(name, body)
            mode = (body.get("HostConfig") or {}).get("NetworkMode") or "default"
            endpoints = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
            if mode.startswith("container:"):
                self.container(mode.partition(":")[2])
            elif mode != "host":
                self.join(container, mode, endpoints.get(mode) or {})
            self.containers[name] = container
            return container

    def container(self, name: str) -> StubContainer:
        found = self.containers.get(name) or next((c for c in self.containers.values() if c.id == name), None)
        if found is None:
            raise Refusal(404, f"No such container: {name}")
        return found

    def network(self, name: str) -> StubNetwork:
        found = self.networks.get(name) or next((n for n in self.networks.values() if n.id == name), None)
        if found is None:
            raise Refusal(404, f"network {name} not found")
        return found

    def join(self, container: StubContainer, name: str, endpoint: dict[str, Any]) -> None:
        network = self.network(name)
        wished = endpoint.get("IPAMConfig") or {}
        given: dict[str, str] = {}
        for pool in network.pools:
            subnet = ip_network(pool["Subnet"])
            key = f"IPv{subnet.version}Address"
            if key in wished:
                address = wished[key]
                if address in network.taken:
                    raise Refusal(403, "Address already in use")
                if ip_address(address) not in subnet:
                    raise Refusal(
                        400, f"Invalid address {address}: It does not belong to any of this network's subnets"
                    )
            else:
                handed = ip_network(pool.get("IPRange") or pool["Subnet"])
                hosts = (str(one) for one in handed if one not in {subnet.network_address, ip_address(pool["Gateway"])})
                address = next((one for one in hosts if one not in network.taken), "")
                if not address:
                    raise Refusal(
                        500, f"no available IPv{subnet.version} addresses on this network's address pools: {name}"
                    )
            given[key] = address
            network.taken.add(address)
        container.networks[network.name] = {
            "IPAddress": given.get("IPv4Address", ""),
            "GlobalIPv6Address": given.get("IPv6Address", ""),
            "MacAddress": "02:42:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(4)),
            "NetworkID": network.id,
        }

    def leave(self, container: StubContainer, name: str) -> None:
        network = self.network(name)
        if network.name not in container.networks:
            raise Refusal(403, f"container {container.id} is not connected to network {network.name}")
        gone = container.networks.pop(network.name)
        network.taken -= {gone["IPAddress"], gone["GlobalIPv6Address"]}

    def remove(self, name: str) -> None:
        with self.lock:
            container = self.container(name)
            for network in list(container.networks):
                self.leave(container, network)
            del self.containers[container.name]

    def create_network(self, body: dict[str, Any]) -> StubNetwork:
        with self.lock:
            if body["Name"] in self.networks:
                raise Refusal(409, f"network with name {body['Name']} already exists")
            made = StubNetwork(body["Name"], body)
            for pool in made.pools:
                for other in (each for network in self.networks.values() for each in network.pools):
                    one, two = ip_network(pool["Subnet"]), ip_network(other["Subnet"])
                    if one.version == two.version and one.overlaps(two):
                        raise Refusal(403, "Pool overlaps with other one on this address space")
                made.taken.add(pool["Gateway"])
            self.networks[made.name] = made
            return made

    def remove_network(self, name: str) -> None:
        with self.lock:
            network = self.network(name)
            if any(network.name in container.networks for container in self.containers.values()):
                raise Refusal(403, f"error while removing network: network {name} id {network.id} has active endpoints")
            del self.networks[network.name]

    # ---- shapes

    def listed(self, container: StubContainer) -> dict[str, Any]:
        return {
            "Id": container.id,
            "Names": [f"/{container.name}"],
            "Image": container.config["Image"],
            "Labels": container.labels,
            "State": "running" if container.running else "exited",
            "NetworkSettings": {"Networks": container.networks},
        }

    def inspected(self, container: StubContainer) -> dict[str, Any]:
        config = {
            key: value for key, value in container.config.items() if key not in {"HostConfig", "NetworkingConfig"}
        }
        return {
            "Id": container.id,
            "Name": f"/{container.name}",
            "State": {"Running": container.running, "Paused": container.paused, "Pid": 1 if container.running else 0},
            "Config": config,
            "HostConfig": container.config.get("HostConfig") or {},
            "NetworkSettings": {"Networks": container.networks},
        }

    def described(self) -> dict[str, Any]:
        return {
            "ID": "STUB:ENGINE",
            "ServerVersion": VERSION,
            "OSType": "linux",
            "KernelVersion": "6.1.0-stub",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "MemTotal": 64 << 30,
            "NCPU": 8,
            "IPv4Forwarding": True,
            "SecurityOptions": ["name=seccomp,profile=default", "name=cgroupns"],
            "CgroupVersion": "2",
        } | self.info

    # ---- commands

    def start_exec(self, container: str, argv: list[str]) -> str:
        number = secrets.token_hex(32)
        if argv[:1] == ["timeout"]:
            argv = argv[4:]
        command = Command(self.container(container).name, argv)
        with self.lock:
            self.commands.append(command)
            self._execs[number] = (command, None)
        return number

    def run_exec(self, number: str, stream: socket.socket) -> None:
        command, _ = self._execs[number]
        command.stream = stream
        result = self.on_exec(command)
        if result is not None:
            _, out, err = result
            for channel, text in ((1, out), (2, err)):
                if text:
                    stream.sendall(frame(channel, text.encode()))
        self._execs[number] = (command, result or (0, "", ""))

    def exit_code(self, number: str) -> int | None:
        result = self._execs[number][1]
        return None if result is None else result[0]
