"""Thousands of global addresses in a real kernel, and what passes while they change."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers import nftables
from reference_impl.drivers.nftables import Table, run_nft
from reference_impl.names import CABLE_DEVICE, GLOBAL_TABLE
from reference_impl.nft_script import digest
from reference_impl.planner.global_rules import global_ruleset
from reference_impl.planner.translation import Door
from reference_impl.tests.kernel.global_sites import OWN, PODS, SERVICE, build
from reference_impl.tests.kernel.sandbox import ask_udp, sandboxed

if TYPE_CHECKING:
    import subprocess

    from reference_impl.state import IPAddress

EXPORTS, CHANGES = 5000, 40

ROUNDS = 3
"""How often the addresses come and go while somebody asks."""


@sandboxed
def test_the_last_of_thousands_of_exports_is_reached_like_the_first_and_one_more_is_a_small_change() -> None:
    """Without rights outside of its namespace, nft sends no more at once than ``net.core.wmem_default``."""
    east, west = build()
    west.load()
    addresses = [ip_address("100.65.0.8") + number for number in range(EXPORTS)]
    wide = ip_network("100.64.0.0/10")
    hosts = {ip_address("100.66.0.0") + number: ip_address("10.2.0.0") + number for number in range(EXPORTS)}
    doors = tuple(_door(address, number) for number, address in enumerate(addresses))
    plain = east.translation()
    wanted = replace(plain, pool=wide, hosts={**plain.hosts, **hosts}, doors=doors)
    east.load(replace(wanted, doors=doors[:-1]))
    west.gateway.shell(f"ip route add {wide} via 192.0.2.1 metric 9")
    ask = [partial(ask_udp, str(address), 80) for address in (addresses[0], addresses[-1])]
    assert west.pods[0].run(ask[0]) == west.at(OWN)
    assert west.pods[0].run(partial(ask[1], seconds=0.2)) == "timeout"
    ruleset = global_ruleset([wanted], (CABLE_DEVICE,))

    def change() -> str:
        """Count what an agent sends that has just started and adopts what is there."""
        table = Table(GLOBAL_TABLE)
        sent: list[str] = []

        def run(*words: str, script: str = "") -> subprocess.CompletedProcess[str]:
            sent.extend([script] if script else [])  # a look sends nothing
            return run_nft(*words, script=script)

        assert table.digest()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nftables, "run_nft", run)
            table.load(ruleset)
        assert table.digest() == digest(ruleset)
        return f"{len(sent)} {sum(script.count('element') for script in sent)}"

    assert east.gateway.run(change) == "1 1"
    assert [west.pods[0].run(each) for each in ask] == [west.at(OWN)] * 2


@sandboxed
def test_no_packet_is_lost_or_led_astray_while_others_come_and_go_and_chains_edited_by_others_are_mended() -> None:
    east, west = build()
    west.load()
    plain = east.translation()
    table = Table(GLOBAL_TABLE)
    some = {east.pool[20 + number]: ip_address("10.2.0.0") + number for number in range(200)}

    def change() -> str:
        for number in range(CHANGES):
            chosen = dict(list(some.items())[number : 100 + number])
            table.digest()
            table.load(global_ruleset([replace(plain, hosts={**plain.hosts, **chosen})], (CABLE_DEVICE,)))
        return ""

    east.load()
    service = partial(ask_udp, east.at(SERVICE), 80, seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(ROUNDS):
            changing = pool.submit(east.gateway.run, change)
            while True:  # at least once, however fast the changes are
                assert west.pods[0].run(partial(ask_udp, east.at(OWN), seconds=0.3)) == west.at(OWN)
                assert west.pods[0].run(service) == west.at(OWN)
                if changing.done():
                    break
            changing.result()

    def edit() -> str:
        mine = Table(GLOBAL_TABLE)
        mine.load(global_ruleset([plain], (CABLE_DEVICE,)))
        mine.digest()
        chains = re.findall(r"chain (to-udp-\w+)", run_nft("list", "table", "inet", GLOBAL_TABLE).stdout)
        run_nft("-f", "-", script="".join(f"flush chain inet {GLOBAL_TABLE} {name}\n" for name in chains))
        assert (len(chains), mine.digest()) == (1, "")
        mine.load(global_ruleset([plain], (CABLE_DEVICE,)))
        return ""

    east.gateway.run(edit)
    assert west.pods[0].run(service) == west.at(OWN)


def _door(address: IPAddress, number: int) -> Door:
    """Lead the first and the last one to a pod, and each other one elsewhere."""
    backend = PODS[1] if number in {0, EXPORTS - 1} else ip_address("10.3.0.0") + number
    return Door(address=address, protocol="udp", port=80, backends=((backend, 7000),))
