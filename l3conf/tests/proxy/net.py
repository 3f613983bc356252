"""A little network for tests of real rules: a node that routes, pods on it, and a host outside.

::

    pod a 10.1.0.2 ──┐
    pod b 10.1.0.3 ──┤ node 10.1.0.1 / 172.16.1.10 ── outside 172.16.1.99
    pod c 10.1.0.4 ──┘                                 uplink  192.0.2.2 (the node's default route)
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

from l3conf.emulator.kernel.namespaces import NetworkNamespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

PODS = {"a": "10.1.0.2", "b": "10.1.0.3", "c": "10.1.0.4"}
NODE, OUTSIDE = "172.16.1.10", "172.16.1.99"
PATIENCE = 20.0


def command(namespace: NetworkNamespace, *argv: str, stdin: str | None = None) -> str:
    """Run a command in a namespace."""
    with namespace.entered():
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


class Net:
    """All namespaces of the drawing."""

    def __init__(self) -> None:
        self.node = NetworkNamespace.create()
        self.places = {name: NetworkNamespace.create() for name in [*PODS, "outside", "uplink"]}
        self._servers: list[tuple[socket.socket, threading.Thread]] = []
        command(self.node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        command(self.node, "ip", "link", "set", "lo", "up")
        command(self.node, "ip", "link", "add", "cni0", "type", "bridge")
        command(self.node, "ip", "addr", "add", "10.1.0.1/24", "dev", "cni0")
        command(self.node, "ip", "link", "set", "cni0", "up")
        for name, address in PODS.items():
            self._join(name, f"{address}/24", "10.1.0.1")
            command(self.node, "ip", "link", "set", f"v{name}", "master", "cni0")
            command(self.node, "bridge", "link", "set", "dev", f"v{name}", "hairpin", "on")
        self._join("outside", f"{OUTSIDE}/24", NODE)
        command(self.node, "ip", "addr", "add", f"{NODE}/24", "dev", "voutside")
        self._join("uplink", "192.0.2.2/24", "192.0.2.1")
        command(self.node, "ip", "addr", "add", "192.0.2.1/24", "dev", "vuplink")
        command(self.node, "ip", "route", "add", "default", "via", "192.0.2.2")

    def _join(self, name: str, address: str, gateway: str) -> None:
        place = self.places[name]
        command(self.node, "ip", "link", "add", f"v{name}", "type", "veth", "peer", "eth0", "netns", place.path)
        command(self.node, "ip", "link", "set", f"v{name}", "up")
        command(place, "ip", "link", "set", "lo", "up")
        command(place, "ip", "addr", "add", address, "dev", "eth0")
        command(place, "ip", "link", "set", "eth0", "up")
        command(place, "ip", "route", "add", "default", "via", gateway)

    def load(self, ruleset: str) -> None:
        """Load rules into the node."""
        command(self.node, "nft", "-f", "-", stdin=ruleset)

    def serve(self, name: str, port: int, kind: int = socket.SOCK_STREAM) -> None:
        """Serve at a place: every client is told who served it and which address it was seen with."""
        server = self.places[name].socket(socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", port))
        thread = threading.Thread(target=_serve, args=(server, name, kind), daemon=True)
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        thread.start()
        self._servers.append((server, thread))

    def ask(self, source: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> tuple[str, str]:
        """Ask from a place (or ``node``); return (who served, seen as). Raises ``OSError`` as the kernel does."""
        place = self.node if source == "node" else self.places[source]
        with place.socket(socket.AF_INET, kind) as client:
            client.settimeout(PATIENCE)
            client.connect((address, port))
            client.send(b"?")
            served, seen = client.recv(100).decode().split()
        return served, seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for server, _ in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for place in (self.node, *self.places.values()):
            place.close()


def _serve(server: socket.socket, name: str, kind: int) -> None:
    for client, seen in _clients(server, kind):
        answer = f"{name} {seen[0]}".encode()
        if isinstance(client, socket.socket):
            with client:
                client.recv(1)
                client.send(answer)
        else:
            server.sendto(answer, seen)


def _clients(server: socket.socket, kind: int) -> Iterator[tuple[socket.socket | None, tuple[str, int]]]:
    while True:
        try:
            if kind == socket.SOCK_STREAM:
                yield server.accept()
            else:
                _, address = server.recvfrom(100)
                yield None, address
        except OSError:
            return
