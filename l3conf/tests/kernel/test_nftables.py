"""Rulesets land in the namespace they are meant for, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from l3conf.emulator.kernel.links import Peer, add_veth
from l3conf.emulator.kernel.namespaces import NetworkNamespace
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.emulator.kernel.nftables import RulesetError, load_ruleset
from l3conf.tests.sandbox import sandboxed

if TYPE_CHECKING:
    from collections.abc import Callable

NFT = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nft"


def ruleset(namespace: NetworkNamespace) -> str:
    with namespace.entered():
        return subprocess.run([NFT, "list", "ruleset"], check=True, capture_output=True, text=True).stdout


def table(name: str, rule: str) -> str:
    return f"table ip {name} {{\nchain c {{\ntype filter hook input priority 0;\n{rule}\n}}\n}}\n"


@sandboxed
def test_a_ruleset_is_loaded_where_it_was_meant_to_be() -> None:
    with NetworkNamespace.create() as one, NetworkNamespace.create() as other:
        load_ruleset(one, table("mine", "ip saddr 10.0.0.1 drop"))
        assert "ip saddr 10.0.0.1 drop" in ruleset(one)
        assert ruleset(other) == ""
        assert "mine" not in ruleset_here()


def ruleset_here() -> str:
    with NetworkNamespace.current() as here:
        return ruleset(here)


@sandboxed
def test_a_refused_ruleset_changes_nothing_and_says_where() -> None:
    with NetworkNamespace.create() as namespace:
        with pytest.raises(RulesetError, match="nonsense"):
            load_ruleset(namespace, table("half", "accept") + "add rule ip half c nonsense\n")
        assert ruleset(namespace) == ""


@sandboxed
def test_interface_names_are_looked_up_in_the_right_namespace() -> None:
    """The library keeps a process-wide list of names: ``eth0`` must not get another namespace's index."""
    with NetworkNamespace.create() as one, NetworkNamespace.create() as other:
        for namespace, far, index in ((one, other, 7), (other, one, 9)):
            with RouteSocket(namespace) as route:
                peer = Peer(namespace_fd=far.fd, name=f"far{index}", index=100 + index)
                route.execute([add_veth("eth0", index, peer)])
        for namespace in (one, other, one):
            load_ruleset(namespace, "table ip t\ndelete table ip t\n" + table("t", 'iif "eth0" drop'))
        for namespace in (one, other):
            assert 'iif "eth0" drop' in ruleset(namespace)


@sandboxed
def test_threads_may_load_at_the_same_time() -> None:
    namespaces = [NetworkNamespace.create() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(load_ruleset, namespace, table(f"t{number}x{turn}", "accept"))
            for turn in range(5)
            for number, namespace in enumerate(namespaces)
        ]
        for job in jobs:
            job.result(timeout=30)
    for number, namespace in enumerate(namespaces):
        found = {line.split()[2] for line in ruleset(namespace).splitlines() if line.startswith("table")}
        assert found == {f"t{number}x{turn}" for turn in range(5)}
        namespace.close()


def naps_beside(job: Callable[[], None]) -> int:
    """Return how often the caller could sleep for 0.5 ms while a thread did something."""
    naps = 0
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(job)
        while not doing.done():
            time.sleep(0.0005)
            naps += 1
        doing.result()
    return naps


@sandboxed
def test_others_go_on_while_the_kernel_clears_away_what_was_replaced() -> None:
    """An event loop that hands a load to a thread must not stand still for it: 20 naps a load, and 1 if it does."""
    loads = 40
    with NetworkNamespace.create() as namespace:

        def replace() -> None:
            for _ in range(loads):
                load_ruleset(namespace, "table ip t\ndelete table ip t\n" + table("t", "accept"))

        assert max(naps_beside(replace) for _ in range(3)) > 4 * loads  # of three: a busy machine gives fewer
