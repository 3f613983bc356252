"""``python -m l3conf.probes.node_state``: print the state of the network namespace it runs in as JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.probes.node_state import State, files, filters, iproute

if TYPE_CHECKING:
    from collections.abc import Callable

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"))
_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Reader:
    """One command and what to make of its output."""

    part: str
    """What the command reads: named where it could not."""
    command: str
    read: Callable[[str], State]


def _json(make: Callable[[Any], State]) -> Callable[[str], State]:
    return lambda text: make(json.loads(text or "[]"))


READERS = (
    Reader("link", "ip -d -j link show", _json(iproute.links)),
    Reader("address", "ip -d -j address show", _json(iproute.addresses)),
    Reader("route IPv4", "ip -4 -d -j route show table all", _json(iproute.routes)),
    Reader("route IPv6", "ip -6 -d -j route show table all", _json(iproute.routes)),
    Reader("rule IPv4", "ip -4 -j rule show", _json(lambda entries: iproute.rules(entries, "IPv4"))),
    Reader("rule IPv6", "ip -6 -j rule show", _json(lambda entries: iproute.rules(entries, "IPv6"))),
    Reader("neighbour", "ip -d -j neigh show", _json(iproute.neighbours)),
    Reader("neighbour proxy", "ip -d -j neigh show proxy", _json(lambda e: iproute.neighbours(_proxies(e)))),
    Reader("address label", "ip -j addrlabel list", _json(iproute.address_labels)),
    Reader("nexthop", "ip -j nexthop show", _json(iproute.nexthops)),
    Reader("qdisc", "tc -j qdisc show", _json(iproute.queues)),
    Reader("nft", "nft -j -s list ruleset", _json(lambda ruleset: filters.nftables(ruleset["nftables"]))),
    Reader("iptables IPv4", "iptables-legacy-save", lambda text: filters.iptables(text, "IPv4")),
    Reader("iptables IPv6", "ip6tables-legacy-save", lambda text: filters.iptables(text, "IPv6")),
    Reader("xfrm policy", "ip xfrm policy list", lambda text: filters.transforms(text, "policy")),
    Reader("xfrm state", "ip xfrm state list nokeys", lambda text: filters.transforms(text, "state")),
)
_DEVICES = Reader("link", "ip -j link show", lambda _: {})
_FORWARDING = "bridge -d -j fdb show"


def node_state() -> State:
    """Read the state of the current network namespace and mount namespace."""
    own: set[str] = set()

    def forwarding(text: str) -> State:
        return iproute.forwarding(json.loads(text or "[]"), own)

    # All at once: each is a process, and they share nothing.
    devices, *running = [
        (reader, _start(reader.command)) for reader in (_DEVICES, *READERS, Reader("fdb", _FORWARDING, forwarding))
    ]
    state: State = {}
    if devices[1] is not None:
        own.update(device.get("address", "") for device in json.loads(devices[1].communicate(timeout=_TIMEOUT)[0]))
    for reader, process in running:
        state |= _finish(reader, process)
    return state | files.sysctls() | files.names()


def _start(command: str) -> subprocess.Popen[str] | None:
    argv = command.split()
    program = shutil.which(argv[0], path=_PATH)
    if program is None:
        return None
    return subprocess.Popen([program, *argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(reader: Reader, process: subprocess.Popen[str] | None) -> State:
    """Return what a command says, or in its place why that is not known."""
    tool = reader.command.split()[0]
    if process is None:
        return {f"missing/{tool}": "not installed"}
    with process:
        try:
            output, errors = process.communicate(timeout=_TIMEOUT)
            if process.returncode:
                return {f"missing/{tool} for {reader.part}": " ".join(errors.split())}
            return reader.read(output)
        except subprocess.TimeoutExpired:
            process.kill()
            return {f"missing/{tool} for {reader.part}": f"no answer in {_TIMEOUT:g} s"}
        except (ValueError, KeyError) as error:
            return {f"missing/{tool} for {reader.part}": f"output not understood: {error!r}"}


def _proxies(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**entry, "proxy": None} for entry in entries]


if __name__ == "__main__":
    json.dump(node_state(), sys.stdout, sort_keys=True)
