"""An agent reads the kernel again exactly when the kernel has said that something changed."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers import kernel_changes
from reference_impl.drivers.kernel_changes import KernelChanges, matters
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.operations import Operation, Verb
from reference_impl.state import Direction, Link, Ownership, Route, RouteKind, Rule, Ruleset
from reference_impl.tests.kernel.sandbox import sandboxed, shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.state import Observed

OWNERSHIP = Ownership(protocol=180, devices=("vxlan-tunnel",), table="l3conf-test")
LINK = Link(name="vxlan-tunnel", vni=1000, port=4500, local=ip_address("192.0.2.1"), mac="02:00:00:00:00:01", mtu=1400)
ROUTE = Route(
    destination=ip_network("10.7.0.0/16"), metric=1, kind=RouteKind.UNREACHABLE, device="", via=None, source=None
)
RULE = Rule(direction=Direction.TO, prefix=ip_network("10.7.0.0/16"))
GROUND = "ip link add eth0 type veth peer name far; ip link set eth0 up; ip address add 192.0.2.1/24 dev eth0"
FOREIGN: dict[str, tuple[str, Callable[[Observed], object]]] = {
    "address": ("ip address add 192.0.2.9/24 dev eth0", lambda seen: seen.addresses),
    "mtu": ("ip link set eth0 mtu 1300", lambda seen: seen.addresses),
    "our device": ("ip link del vxlan-tunnel", lambda seen: seen.state.links),
    "our device down": ("ip link set vxlan-tunnel down", lambda seen: seen.state.links),
    "our route": ("ip route flush table all proto 180", lambda seen: seen.state.routes),
    "our rule": ("ip rule del to 10.7.0.0/16", lambda seen: seen.state.rules),
    "our table": ("nft delete table inet l3conf-test", lambda seen: seen.state.ruleset),
    "a rule in our table": ("nft add chain inet l3conf-test intruder", lambda seen: seen.ruleset_digest),
    "a neighbour of ours": (
        "ip neighbour add 10.9.0.1 lladdr 02:00:00:00:00:02 nud permanent dev vxlan-tunnel",
        lambda seen: seen.state.neighbours,
    ),
    "an entry of ours": (
        "bridge fdb append 02:00:00:00:00:03 dev vxlan-tunnel dst 192.0.2.7 self",
        lambda seen: seen.state.forwarding,
    ),
}


def _programmed() -> LinuxKernel:
    shell(GROUND)
    kernel = LinuxKernel(OWNERSHIP)
    kernel.observe()
    items = (LINK, ROUTE, RULE, Ruleset(table=OWNERSHIP.table))
    assert kernel.apply([Operation(Verb.SET, item) for item in items]) == ()
    return kernel


def _settled(kernel: LinuxKernel) -> Observed:
    """Look until there is no more news of our own changes: the same object comes back."""
    seen = kernel.observe()
    for _ in range(50):
        again = kernel.observe()
        if again is seen:
            return seen
        seen = again
    raise AssertionError("the kernel never came to rest")


@pytest.mark.parametrize("change", list(FOREIGN))
@sandboxed
def test_a_change_by_somebody_else_is_seen_at_the_next_look(change: str) -> None:
    command, part = FOREIGN[change]
    kernel = _programmed()
    before = part(_settled(kernel))
    shell(command)
    assert part(kernel.observe()) != before
    kernel.close()


@sandboxed
def test_neighbours_of_others_are_no_news() -> None:
    kernel = _programmed()
    before = _settled(kernel)
    shell("ip neighbour add 192.0.2.77 lladdr 02:00:00:00:00:09 nud reachable dev eth0")
    assert kernel.observe() is before
    kernel.close()


@sandboxed
def test_everything_is_looked_at_again_after_a_while() -> None:
    kernel = _programmed()
    before = _settled(kernel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reference_impl.drivers.linux_kernel.TRUST", 0.0)
        again = kernel.observe()
    assert again is not before
    assert again == before
    kernel.close()


@sandboxed
def test_a_queue_that_overflows_is_news() -> None:
    shell(GROUND)
    changes = KernelChanges()
    assert changes.any(())
    assert not changes.any(())
    for queue in changes._sockets:
        queue.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    shell("for i in 1 2 3 4 5 6 7 8 9; do ip neighbour add 192.0.2.7$i lladdr 02:00:00:00:00:09 dev eth0; done")
    assert changes.any(())
    assert not changes.any(())
    changes.close()


@sandboxed
def test_without_a_subscription_everything_is_news() -> None:
    changes = KernelChanges()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_changes, "_GROUPS", {0: (99999,)})
        assert changes.any(())
        assert changes.any(())
    changes.close()


def test_of_several_messages_one_is_enough() -> None:
    foreign = struct.pack("=IHHIIBxxxiHBB", 28, 28, 0, 0, 0, 2, 5, 0, 0, 0)
    own = struct.pack("=IHHIIBxxxiHBB", 28, 28, 0, 0, 0, 2, 6, 0, 0, 0)
    address = struct.pack("=IHHII", 16, 20, 0, 0, 0)
    assert not matters(foreign * 3, {6})
    assert matters(foreign + own, {6})
    assert matters(foreign + address, {6})
    assert not matters(b"", {6})
    assert matters(foreign[:20], {6}), "half a message is no proof that nothing happened"
