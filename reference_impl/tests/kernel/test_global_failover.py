"""Connections that go on by global addresses through gateways that take over."""

from __future__ import annotations

import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reference_impl.drivers.conntrack_table import ConntrackTable
from reference_impl.tests.kernel.conversation import appear, converse
from reference_impl.tests.kernel.global_sites import CONVERSING, OWN, SERVICE, build
from reference_impl.tests.kernel.sandbox import sandboxed


@sandboxed
@pytest.mark.parametrize("target", [SERVICE, OWN], ids=["a Service", "a pod"])
@pytest.mark.parametrize("who", ["server", "client"])
def test_connections_go_on_through_gateways_that_know_nothing_of_them(target: int, who: str) -> None:
    """As after a failover: of both where the caller speaks first, of the server's where the server does.

    Whom a word is for that comes to an address which a whole cluster shares, nobody can know but who was there.
    """
    east, west = build()
    bare = east.translation(own=target == OWN)
    plans = {east.pool: bare if target == SERVICE else replace(bare, doors=()), west.pool: west.translation()}
    for site in (east, west):
        site.load(plans[site.pool])
    with tempfile.TemporaryDirectory() as folder:
        for pod in east.pods:
            pod.background(partial(converse, folder, CONVERSING, first=who == "server"))
        with ThreadPoolExecutor(len(west.pods)) as pool:
            calls = [
                pool.submit(pod.run, partial(_call, east.at(target), folder, str(index), first=who == "client"))
                for index, pod in enumerate(west.pods)
            ]
            appear(*(Path(folder, f"begun-{index}") for index in range(len(west.pods))))
            for site in (east, west) if who == "client" else (east,):
                site.load(plans[site.pool], afresh=True)
                site.gateway.run(_forget_everything)
            Path(folder, "go").touch()
            assert [call.result() for call in calls] == ["4 of 4"] * len(west.pods)


def _call(address: str, folder: str, name: str, *, first: bool) -> str:
    """Return how many words came back, from a connection that began before gateways forgot it."""
    port = CONVERSING if address.endswith(f".{OWN}") else 81
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.sendall(b"?")
        heard = len(connection.recv(1))
        Path(folder, f"begun-{name}").touch()
        appear(Path(folder, "go"))
        heard += 1 if first else len(connection.recv(1))
        for _ in range(2):
            connection.sendall(b"?")
            heard += len(connection.recv(1))
    return f"{heard} of 4"


def _forget_everything() -> str:
    with ConntrackTable(4) as table:
        for entry in tuple(table.entries()):
            table.delete(entry)
    return ""
