"""Two hosts behind a router, inside the sandbox that the caller has entered.

::

    a 10.0.1.2 ── 10.0.1.1 router 10.0.2.1 ── 10.0.2.2 b     (mtu 1500 left, 1400 right)
      fd00:1::2   fd00:1::1       fd00:2::1   fd00:2::2
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.observation import Observation, Probe
from l3conf.probes.engine import Engine, run_all
from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

A = IPv4Address("10.0.1.2")
B = IPv4Address("10.0.2.2")
ROUTER_LEFT = IPv4Address("10.0.1.1")
ROUTER_RIGHT = IPv4Address("10.0.2.1")
A6 = IPv6Address("fd00:1::2")
B6 = IPv6Address("fd00:2::2")
ROUTER_LEFT6 = IPv6Address("fd00:1::1")
RIGHT_MTU = 1400
PATIENCE = 30.0
"""Timeout of probes that must be answered."""


@dataclass(slots=True)
class Ground:
    """Namespaces and an engine with the places ``a`` and ``b``, both serving."""

    engine: Engine
    a: NetworkNamespace
    b: NetworkNamespace
    router: NetworkNamespace

    def run(self, *probes: Probe) -> list[Observation]:
        """Run probes together."""
        return run_all(self.engine, probes)

    def one(self, destination: IPv4Address | IPv6Address = B, **fields: Any) -> Observation:  # noqa: ANN401 - fields of Probe
        """Run one probe from ``a``, by default to b's server."""
        return self.run(probe(destination, **fields))[0]


def probe(destination: IPv4Address | IPv6Address = B, **fields: Any) -> Probe:  # noqa: ANN401 - fields of Probe
    """Make a probe from ``a`` with this module's defaults."""
    return Probe(**{"source": "a", "destination": destination, "port": PORT, "timeout": PATIENCE, **fields})


def run_in(namespace: NetworkNamespace, command: str, stdin: str | None = None) -> str:
    """Run a command in a namespace; return its output."""
    with namespace.entered():
        done = subprocess.run(command.split(), input=stdin, check=True, capture_output=True, text=True, timeout=20)
    return done.stdout


def load(namespace: NetworkNamespace, chain: str, rule: str) -> None:
    """Load one nftables rule into a namespace, in a base chain of the given type, hook and priority."""
    run_in(namespace, "nft -f -", f"table ip t {{\nchain c {{\ntype {chain};\n{rule}\n}}\n}}\n")


@contextmanager
def routed_pair() -> Iterator[Ground]:
    """Build the ground of the drawing above."""
    with ExitStack() as stack:
        a, b, router = (stack.enter_context(NetworkNamespace.create()) for _ in range(3))
        for namespace in (a, b, router):  # a link-local address that is still tentative resolves no neighbours
            run_in(namespace, "sysctl -qw net.ipv6.conf.default.dad_transmits=0")
        _link(router, "left", a, ROUTER_LEFT, A, 1500)
        _link(router, "right", b, ROUTER_RIGHT, B, RIGHT_MTU)
        run_in(router, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        engine = Engine()
        stack.callback(engine.close)
        for name, namespace in (("a", a), ("b", b)):
            engine.add_place(name, duplicate(namespace), serve=True)
        yield Ground(engine, a, b, router)


def duplicate(namespace: NetworkNamespace) -> NetworkNamespace:
    """Return a second descriptor of a namespace, for somebody else to close."""
    with namespace.entered():
        return NetworkNamespace.current()


def _link(
    router: NetworkNamespace, name: str, host: NetworkNamespace, near: IPv4Address, far: IPv4Address, mtu: int
) -> None:
    run_in(router, f"ip link add {name} mtu {mtu} type veth peer eth0 mtu {mtu} netns {host.path}")
    for namespace, device, address in ((router, name, near), (host, "eth0", far)):
        run_in(namespace, f"ip address add {address}/24 dev {device}")
        run_in(namespace, f"ip address add {_v6(address)}/64 dev {device} nodad")
        run_in(namespace, f"ip link set {device} up")
        run_in(namespace, "ip link set lo up")
    run_in(host, f"ip route add default via {near}")
    run_in(host, f"ip route add default via {_v6(near)}")


def _v6(address: IPv4Address) -> IPv6Address:
    """fd00:1::2 for 10.0.1.2."""
    _, _, site, host = address.packed
    v6 = ip_address(f"fd00:{site}::{host}")
    assert isinstance(v6, IPv6Address)
    return v6
