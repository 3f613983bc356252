"""Keys of IPsec cables are replaced while packets flow."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.drivers.key_file import KeyPair
from reference_impl.tests.kernel.gateways import KEYS, wait_for
from reference_impl.tests.kernel.ipsec_sites import IPSEC, child_spis, connected, daemon, needs_daemon
from reference_impl.tests.kernel.sandbox import ask_udp, sandboxed

if TYPE_CHECKING:
    from reference_impl.tests.kernel.cluster_set import Site

pytestmark = needs_daemon


@sandboxed
def test_rekeying_and_an_agent_s_restart_lose_no_packet() -> None:
    east, west, _ = connected()
    west_pod, seen = west.pods[1], Path("/run/flow")
    east.pods[1].background(partial(flow, west.pod_address(1), seen))
    wait_for(lambda: seen.exists() and seen.read_text().count("\n") > 20)

    for _ in range(2):
        before = child_spis(west)
        rekey(east)
        assert IPSEC.program(east, IPSEC.cables(east, west)) == ""
        wait_for(lambda before=before: child_spis(west).isdisjoint(before))  # type: ignore[misc]
    wait_for(lambda: seen.read_text().count("\n") > 200)
    lost = [line for line in seen.read_text().splitlines() if line != east.pod_address(1)]
    assert lost == []
    assert west_pod.run(lambda: ask_udp(east.pod_address(1))) == west.pod_address(1)


@sandboxed
def test_a_new_key_takes_over_under_traffic_and_the_old_one_is_worth_nothing() -> None:
    east, west, _ = connected()
    seen = Path("/run/flow")
    east.pods[1].background(partial(flow, west.pod_address(1), seen))
    wait_for(lambda: seen.exists() and seen.read_text().count("\n") > 20)
    before, rotated = child_spis(west), {**KEYS, 1: KeyPair(bytes([11]) * 32)}
    assert "FAILED" not in IPSEC.program(east, IPSEC.cables(east, west, keys=rotated), rotated[1])
    # West has not heard of it yet, and the old SAs carry on.
    time.sleep(0.5)
    assert child_spis(west) == before
    assert "FAILED" not in IPSEC.program(west, IPSEC.cables(west, east, keys=rotated))
    wait_for(lambda: len(child_spis(west)) == len(before) and child_spis(west).isdisjoint(before))
    wait_for(lambda: seen.read_text().count("\n") > 200)
    lost = [line for line in seen.read_text().splitlines() if line != east.pod_address(1)]
    assert len(lost) <= 1  # what west sends before east has put in the SAs that west answered with
    assert all(secrets_of(site).isdisjoint({KEYS[1].public}) for site in (east, west))


def secrets_of(site: Site) -> frozenset[str]:
    """Return the public keys whose secrets a gateway's daemon has."""
    names = daemon(site.nodes[0]).get_shared()["keys"]
    return frozenset(word for name in names for word in name.decode().split(" "))


def flow(address: str, seen: Path) -> None:
    """Ask every 10 ms, and write down each answer."""
    with seen.open("w", buffering=1) as file:
        while True:
            file.write(ask_udp(address, seconds=0.5) + "\n")
            time.sleep(0.01)


def rekey(site: Site) -> None:
    """Give every child SA of a gateway new keys."""
    session = daemon(site.nodes[0])
    names = {child["name"] for sa in session.list_sas() for one in sa.values() for child in one["child-sas"].values()}
    for name in names:
        assert session.rekey({"child": name})["success"] == b"yes"
