"""``l3conf bench probes``: how many pair checks per second a prober makes between pods on one bridge.

Every pod has a namespace of its own and sends to every other: ``pods * (pods - 1)`` pairs a round, through the
same client and process that a lab uses. A check that is not DELIVERED fails the benchmark: speed that loses
probes is worth nothing. Runs in user and network namespaces of its own, as any user.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from ipaddress import IPv4Address, IPv4Interface
from itertools import permutations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from l3conf.emulator.kernel.links import LOOPBACK, Peer, add_address, add_bridge, add_veth, set_link
from l3conf.emulator.kernel.namespaces import CLONE_NEWNET, CLONE_NEWUSER, NetworkNamespace, unshare
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.errors import LabError, MissingPrerequisiteError
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.probes.prober import Prober
from l3conf.probes.wire import PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 7
REPEATS = {Protocol.UDP: 10, Protocol.ICMP: 10, Protocol.TCP: 2}
"""Times that all pairs are checked in one round: a round must be long enough to be timed."""
_FIRST_ADDRESS = IPv4Address("10.0.0.1")
_PREFIX_LENGTH = 16
_MOST_PODS = 250
_BRIDGE = 2
_POD_LINK = 2
_FIRST_LINK = 10
_TIMEOUT = 300.0


@click.command()
@click.option("--pods", type=click.IntRange(2, _MOST_PODS), default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def probes(*, pods: int, as_json: bool) -> None:
    """Measure probes between pods on one bridge: pair checks per second, medians."""
    # A process of its own: it leaves this one's namespaces, and everything it builds ends with it.
    argv = [sys.executable, "-m", "l3conf.bench.probes", str(pods)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False, timeout=_TIMEOUT, text=True)
    answer = json.loads(done.stdout or "{}")
    if "error" in answer or done.returncode:
        raise LabError(answer.get("error", f"exit code {done.returncode}"), where="bench probes")
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"{answer['pods']} pods, {answer['pairs']} pairs, medians of {answer['rounds']} rounds")
    for protocol, rate in answer["checks_per_second"].items():
        click.echo(f"  {protocol:5} {rate:8,.0f} checks per second")


def main(pods: int) -> None:
    """Measure in namespaces of this process's own; print a JSON object."""
    try:
        print(json.dumps(_measured(pods)))  # noqa: T201 - the answer to the parent process
    except (LabError, MissingPrerequisiteError) as error:
        print(json.dumps({"error": str(error)}))  # noqa: T201 - likewise


def _measured(pods: int) -> dict[str, object]:
    _isolate()
    with ExitStack() as stack:
        namespaces = [stack.enter_context(NetworkNamespace.create()) for _ in range(pods)]
        _connect(namespaces)
        rates = asyncio.run(_rates(namespaces))
    return {
        "benchmark": "probes",
        "pods": pods,
        "pairs": pods * (pods - 1),
        "rounds": ROUNDS,
        "checks_per_second": {protocol.value: round(rate) for protocol, rate in rates.items()},
    }


def _isolate() -> None:
    uid, gid = os.getuid(), os.getgid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise MissingPrerequisiteError(
            f"this user cannot make user namespaces: {error.strerror}",
            where="unshare",
            remedy="allow them: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1",
        ) from None


def _connect(namespaces: Sequence[NetworkNamespace]) -> None:
    """Put every namespace on one bridge, with the address of its position."""
    with NetworkNamespace.current() as here, RouteSocket(here) as root:
        root.execute([add_bridge("bench", _BRIDGE)])
        for position, namespace in enumerate(namespaces):
            peer = Peer(namespace_fd=namespace.fd, name="eth0", index=_POD_LINK)
            root.execute([add_veth(f"pod{position}", _FIRST_LINK + position, peer, master=_BRIDGE)])
            interface = IPv4Interface(f"{_address(position)}/{_PREFIX_LENGTH}")
            with RouteSocket(namespace) as inside:
                inside.execute(
                    [
                        set_link(LOOPBACK, up=True),
                        add_address(_POD_LINK, interface),
                        set_link(_POD_LINK, up=True),
                    ]
                )


def _address(position: int) -> IPv4Address:
    return _FIRST_ADDRESS + position


async def _rates(namespaces: Sequence[NetworkNamespace]) -> dict[Protocol, float]:
    async with AsyncExitStack() as stack:
        prober = await Prober.start()
        stack.push_async_callback(prober.stop)
        for position, namespace in enumerate(namespaces):
            await prober.add_place(str(position), namespace.path, serve=True)
        await _warm_up(prober, len(namespaces))
        rates: dict[Protocol, list[float]] = {protocol: [] for protocol in REPEATS}
        for _ in range(ROUNDS):
            for protocol, repeats in REPEATS.items():
                rates[protocol].append(await _round(prober, _pairs(len(namespaces), protocol) * repeats))
        return {protocol: median(values) for protocol, values in rates.items()}


async def _warm_up(prober: Prober, pods: int) -> None:
    """Let neighbours be resolved: that first packet is not what is measured, and may be lost at a fresh port."""
    for _ in range(3):
        seen = await prober.run(_pairs(pods, Protocol.UDP))
        if all(each.outcome is Outcome.DELIVERED for each in seen):
            return


async def _round(prober: Prober, asked: Sequence[Probe]) -> float:
    start = time.perf_counter()
    seen = await prober.run(asked)
    seconds = time.perf_counter() - start
    for each in seen:
        if each.outcome is not Outcome.DELIVERED:
            raise LabError(f"a check was not delivered: {each}", where="bench probes")
    return len(asked) / seconds


def _pairs(pods: int, protocol: Protocol) -> list[Probe]:
    return [
        Probe(source=str(source), destination=_address(destination), port=PORT, protocol=protocol, timeout=5.0)
        for source, destination in permutations(range(pods), 2)
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]))
