"""Cables of IPsec in namespaces, with a real IKE daemon on each gateway."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents import gateway, ipsec_engine, route_agent
from reference_impl.drivers.charon import CHARON_DIRECTORY
from reference_impl.drivers.key_file import KeyPair
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.names import PUBLIC_KEY
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.ipsec import IPsecCables, sub_tunnels_down
from reference_impl.tests.kernel.cluster_set import Site, build, converge, endpoint_of, plan_of_node
from reference_impl.tests.kernel.sandbox import _unshare, ask_tcp, ask_udp, sandboxed, shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.state import KernelState, Observed
    from reference_impl.tests.kernel.sandbox import Host

_NEW_NS = 0x00020000
KEYS = {number: KeyPair(bytes([number]) * 32) for number in (1, 2)}
pytestmark = pytest.mark.skipif(
    not any(Path(folder, ipsec_engine.PROGRAM).exists() for folder in ("/usr/sbin", "/usr/lib/ipsec")),
    reason="charon-systemd is not installed",
)


def started() -> tuple[Site, Site, Host]:
    """Build two sites with an IKE daemon on each gateway."""
    east, west, router = build()
    shell("mount -t tmpfs tmpfs /run; mkdir -p /run/charon")
    for site in (east, west):
        shell(f"mkdir -p /run/{site.nodes[0].name}")
        site.nodes[0].background(partial(engine, site.nodes[0]))
    for site in (east, west):
        wait_for(lambda site=site: Path(f"/run/{site.nodes[0].name}/charon.vici").exists())  # type: ignore[misc]
    return east, west, router


def engine(node: Host) -> None:
    enter(node)
    asyncio.run(ipsec_engine.run())


def enter(node: Host) -> None:
    """Show the node's own directory at the place that agent and engine share."""
    _unshare(_NEW_NS)
    shell(f"mount --bind /run/{node.name} {CHARON_DIRECTORY}")


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def program(site: Site, plan: Callable[[Observed], KernelState], key: KeyPair | None = None) -> str:
    """Bring a gateway to a plan, as an agent that has just started would; return steps, failures after them."""

    def inside() -> str:
        enter(site.nodes[0])
        kernel = LinuxKernel(gateway.OWNERSHIP, key or KEYS[site.number])
        observed = kernel.observe()
        steps = diff(plan(observed), observed)
        failures = kernel.apply(steps)
        kernel.close()
        return "\n".join([*map(str, steps), *(f"FAILED {failure}" for failure in failures)])

    return site.nodes[0].run(inside)


def cables(
    site: Site, other: Site, *, keys: dict[int, KeyPair] = KEYS, **changes: object
) -> Callable[[Observed], KernelState]:
    parameters = frozenset({(PUBLIC_KEY, keys[other.number].public)})
    peer = endpoint_of(other, parameters=parameters, backend="libreswan", **changes)
    driver = IPsecCables(keys[site.number].public)
    return lambda observed: plan_cables(
        GatewayFacts(own=site.cluster, underlay=site.endpoint.private_ip, peers=(peer,), addresses=observed.addresses),
        driver,
    )


def connect(site: Site, other: Site) -> None:
    for node, host in zip(site.as_nodes(), site.nodes, strict=True):

        def of_node(observed: Observed, node: object = node) -> KernelState:
            return plan_of_node(site, other, node, observed, driver=IPsecCables())  # type: ignore[arg-type]

        converge(host, route_agent.OWNERSHIP, of_node)
    assert "FAILED" not in program(site, cables(site, other))


def connected() -> tuple[Site, Site, Host]:
    east, west, router = started()
    connect(east, west)
    connect(west, east)
    for site, other in ((east, west), (west, east)):
        wait_for(lambda site=site, other=other: missing(site, other) == "")  # type: ignore[misc]
    return east, west, router


def missing(site: Site, other: Site) -> str:
    """Return which sub-tunnels of a gateway are down."""

    def inside() -> str:
        enter(site.nodes[0])
        kernel = LinuxKernel(gateway.OWNERSHIP, KEYS[site.number])
        observed = kernel.observe()
        kernel.close()
        down = sub_tunnels_down(cables(site, other)(observed).ike_peers, observed.sub_tunnels)
        return " ".join(f"{own}={remote}" for pairs in down.values() for own, remote in pairs)

    return site.nodes[0].run(inside)


@sandboxed
def test_pods_reach_pods_and_services_and_keep_their_address() -> None:
    east, west, _ = connected()
    for here, there in ((east, west), (west, east)):
        for client, pod in enumerate(here.pods):
            for server in range(len(there.pods)):
                assert pod.run(partial(ask_udp, there.pod_address(server))) == here.pod_address(client)
            assert pod.run(partial(ask_udp, there.service_address)) == here.pod_address(client)
            assert (
                pod.run(partial(ask_tcp, there.pod_address(1), payload=bytes(1 << 20)))
                == f"{here.pod_address(client)} {1 << 20}"
            )


@sandboxed
def test_an_agent_that_starts_again_finds_nothing_to_do() -> None:
    east, west, _ = connected()
    assert east.pods[1].run(lambda: ask_udp(west.pod_address(1))) == east.pod_address(1)
    for site, other in ((east, west), (west, east)):
        assert program(site, cables(site, other)) == ""
