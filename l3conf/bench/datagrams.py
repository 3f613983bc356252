"""``l3conf bench cables --datagrams``: what one datagram costs through a cable, and what of that is filters.

Where all of a tunnel is in the kernel, ``send`` of a datagram does all the work up to the receiver's socket, through
both gateways, on the sender's CPU. Senders on either side time call by call, all the time and on the same CPU, in short
bursts; the lower quartile of a burst is steady also on a machine that others use, and bursts are compared with those of
the same moment. Meanwhile tables of filters come and go. Processes that carry tunnels break the chain: nothing is
measured then.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING

from l3conf.bench.added_filters import Filters, read_json
from l3conf.bench.datagram_cost import DatagramCost
from l3conf.bench.runners import UnavailableError
from l3conf.bench.streams import python, run_in_background
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from l3conf.bench.by_hand import End
    from l3conf.bench.members import MemberSet


WINDOW = 0.6
"""Seconds for which a choice of tables is left alone, before the next one."""
NEAR = 0.1
"""Seconds between two bursts that are compared, at most."""
_SWITCH = 0.9
"""Seconds that a change of tables takes on a busy machine, about."""
_PORT = 9901
_TIMEOUT = 30.0
_UNKNOWN_VNI = 0xFFFFFE
# Sleeps instead of waiting for datagrams: waking it would be part of what is timed.
_RECEIVER = f"""
import socket, time
inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inbox.bind(("", {_PORT}))
inbox.setblocking(False)
while True:
    time.sleep(0.005)
    try:
        while True:
            said, sender = inbox.recvfrom(64)
            if said == b"there?":
                inbox.sendto(b"here", sender)
    except BlockingIOError:
        pass
"""
# Prints the middle of each burst by the monotonic clock, and its lower quartile in nanoseconds.
_SENDER = """
import os, socket, sys, time
address, port, payload, seconds, asks = sys.argv[1:]
cpus = sorted(os.sched_getaffinity(0))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("", 9902))  # one flow, whoever sends
out.connect((address, int(port)))
if asks == "True":
    out.settimeout(0.2)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            out.send(b"there?")
            out.recv(64)
            break
        except OSError:  # not yet
            time.sleep(0.05)
    else:
        sys.exit("nobody answers")
    out.settimeout(None)
data, clock, end, bursts = bytes.fromhex(payload), time.perf_counter_ns, time.monotonic() + float(seconds), []
while (now := time.monotonic()) < end:
    os.sched_setaffinity(0, {cpus[int(now) % len(cpus)]})
    costs = []
    for number in range(200):
        began = clock()
        out.send(data)
        costs.append(clock() - began)
    costs.sort()
    bursts.append(f"{(now + time.monotonic()) / 2} {costs[50]}")
    time.sleep(0.008)
print("\\n".join(bursts))
"""


def measure(
    members: MemberSet, plain: EmulatedLab, ends: tuple[End, End], pods: tuple[str, str], address: str, rounds: int
) -> list[DatagramCost]:
    """Return a datagram's cost with everything in place, with the tables of filters one by one, and with none.

    ``pods`` are the places of sender and receiver, both on gateway nodes, ``address`` the receiver's; ``rounds`` how
    often each choice of tables is looked at. Agents are halted meanwhile, so that nobody puts back what is taken away.
    ``UnavailableError`` where a process carries packets.
    """
    agents = members.containers()  # before there are processes of ours among them
    one, other = ends
    labs = (members.lab, plain)
    doors = [_door(lab, one, other, address) for lab in labs]
    filters = Filters(members.lab, plain, ends)
    choices = filters.choices()
    seconds = rounds * len(choices) * (WINDOW + _SWITCH)
    vxlan = b"\x08\0\0\0" + (_UNKNOWN_VNI << 8).to_bytes(4, "big") + bytes(60)
    for lab in labs:
        run_in_background(lab, pods[1], python(_RECEIVER))
        # The flow begins with all filters in place, which settle its source for good.
        _send(lab, pods[0], address, _PORT, b"x", 0.0, asks=True)
    with ThreadPoolExecutor(4) as senders:
        inner = [senders.submit(_send, lab, pods[0], address, _PORT, b"x", seconds, asks=True) for lab in labs]
        outer = [
            senders.submit(_send, lab, one.place, str(other.underlay), port, vxlan, seconds, asks=False)
            for lab, port in zip(labs, doors, strict=True)
        ]
        with _halted(agents):
            windows = _look(filters, choices, time.monotonic() + seconds)
    return [
        DatagramCost(name=f"{what}, {name}", rounds=pairs(bursts[0].result(), bursts[1].result(), windows[name]))
        for name in choices
        for what, bursts in (("pod to pod", inner), ("outer packet", outer))
    ]


def _look(
    filters: Filters, choices: Mapping[str, Sequence[str]], until: float
) -> Mapping[str, list[tuple[float, float]]]:
    """Go round the choices of tables; return from when until when each of them was in place."""
    windows: dict[str, list[tuple[float, float]]] = {name: [] for name in choices}
    for name in cycle(choices):
        if time.monotonic() > until:
            return windows
        filters.keep(choices[name])
        began = time.monotonic()
        time.sleep(WINDOW)
        windows[name].append((began, time.monotonic()))
    return windows


def pairs(
    own: list[tuple[float, float]], theirs: list[tuple[float, float]], windows: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the figures of bursts in the windows, each with the one of the other side that is nearest in time."""
    found = []
    for began, ended in windows:
        others = [burst for burst in theirs if began <= burst[0] <= ended]
        for at, cost in own:
            if began <= at <= ended and others:
                then, other = min(others, key=lambda burst: abs(burst[0] - at))
                if abs(then - at) <= NEAR:
                    found.append((cost, other))
    return found


def _send(
    lab: EmulatedLab, place: str, address: str, port: int, payload: bytes, seconds: float, *, asks: bool
) -> list[tuple[float, float]]:
    own = EmulatedLab(lab.topology, lab.state)  # a connection of its own: this call lasts
    words = [address, str(port), payload.hex(), str(seconds), str(asks)]
    code, answer, said = own.run(place, [*python(_SENDER), *words], timeout=seconds + _TIMEOUT)
    if code:
        raise LabError(f"datagrams were not sent: {said.strip()[-300:]}", where=place)
    return [(float(at), float(cost)) for at, cost in (line.split() for line in answer.splitlines() if line)]


def _door(lab: EmulatedLab, one: End, other: End, address: str) -> int:
    """Return the UDP port of the VXLAN device that leads from one end's gateway node to the other's pods."""
    (route,) = read_json(lab, one.place, "ip", "-json", "route", "get", address)
    (link,) = read_json(lab, one.place, "ip", "-json", "-details", "link", "show", "dev", route["dev"])
    about = link.get("linkinfo", {})
    if about.get("info_kind") != "vxlan":
        kind = about.get("info_kind", "no tunnel")
        raise UnavailableError(f"{route['dev']} towards {other.place} is of kind {kind}, not vxlan")
    return int(about["info_data"]["port"])


@contextmanager
def _halted(processes: Sequence[int]) -> Iterator[None]:
    """Halt processes for a while; those that end meanwhile are let go."""
    _signal(processes, signal.SIGSTOP)
    try:
        time.sleep(0.1)
        yield
    finally:
        _signal(processes, signal.SIGCONT)


def _signal(processes: Sequence[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue
