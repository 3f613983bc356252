"""Two sites with a real IKE daemon on each gateway."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import vici

from reference_impl.agents import ipsec_engine
from reference_impl.drivers.charon import CHARON_DIRECTORY
from reference_impl.planner.ipsec import IPsecCables, sub_tunnels_down
from reference_impl.tests.kernel.gateways import Technology, wait_for

if TYPE_CHECKING:
    from reference_impl.drivers.linux_kernel import LinuxKernel
    from reference_impl.tests.kernel.cluster_set import Site
    from reference_impl.tests.kernel.sandbox import Host

needs_daemon = pytest.mark.skipif(
    not any(Path(folder, ipsec_engine.PROGRAM).exists() for folder in ("/usr/sbin", "/usr/lib/ipsec")),
    reason="charon-systemd is not installed",
)


def engine(node: Host) -> None:
    IPSEC.enter(node)
    os.dup2(os.open(f"/run/{node.name}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    asyncio.run(ipsec_engine.run())


def has_socket(node: Host) -> bool:
    return Path(f"/run/{node.name}/charon.vici").exists()


IPSEC = Technology(driver=IPsecCables, directory=str(CHARON_DIRECTORY), process=engine, is_ready=has_socket)


def connected() -> tuple[Site, Site, Host]:
    east, west, router = IPSEC.connected()
    for site, other in ((east, west), (west, east)):
        wait_for(lambda site=site, other=other: missing(site, other) == "")  # type: ignore[misc]
    return east, west, router


def missing(site: Site, other: Site) -> str:
    """Return which sub-tunnels of a gateway are down."""

    def ask(kernel: LinuxKernel) -> str:
        observed = kernel.observe()
        down = sub_tunnels_down(IPSEC.cables(site, other)(observed).ike_peers, observed.sub_tunnels)
        return " ".join(f"{own}={remote}" for pairs in down.values() for own, remote in pairs)

    return IPSEC.inside(site, ask)


def daemon(node: Host) -> vici.Session:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(f"/run/{node.name}/charon.vici")
    return vici.Session(connection)


def child_spis(site: Site) -> frozenset[bytes]:
    """Return the numbers of a gateway's child SAs."""
    listed = daemon(site.nodes[0]).list_sas()
    return frozenset(child["spi-in"] for sa in listed for one in sa.values() for child in one["child-sas"].values())
