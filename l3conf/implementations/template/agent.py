"""The agent of mylink: carries packets between the nodes of all members. Replace it by yours.

One VXLAN device a node; a route, a neighbour and a tunnel endpoint for each range of another member. Once a second it
asks who they are. It takes away what it made when it ends: restarts interrupt traffic, and `l3conf run L3-K7` shows it.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    Peers = dict[str, str]

NAMESPACE = "mylink"
DEVICE = "vx-mylink"[:15]
NUMBER = 4797
"""VXLAN network identifier and UDP port."""
MTU = 1450
"""What 50 bytes of outer headers leave of 1500."""
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FILTER = f"""
table ip {DEVICE} {{
    chain keep {{
        # Before the network plugin masquerades what leaves the range of pods: the far side sees the pod itself.
        type nat hook postrouting priority srcnat - 10;
        oifname "{DEVICE}" snat to ip saddr
    }}
}}
"""


def mac(address: str) -> str:
    """Return the MAC address of a node's device: the same wherever it is computed."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x4D, *IPv4Address(address).packed))


def changes(wanted: Peers, there: Peers) -> Iterator[str]:
    """Yield the lines for `ip -batch` and `bridge -batch` that make what is there what is wanted. Pure."""
    for prefix, node in there.items():
        if wanted.get(prefix) != node:
            yield f"route del {prefix} dev {DEVICE}"
    for node in sorted(set(there.values()) - set(wanted.values())):
        yield f"neigh del {node} dev {DEVICE}"
        yield f"fdb del {mac(node)} dev {DEVICE} dst {node}"
    for node in sorted(set(wanted.values()) - set(there.values())):
        yield f"neigh replace {node} lladdr {mac(node)} dev {DEVICE} nud permanent"
        yield f"fdb replace {mac(node)} dev {DEVICE} dst {node}"
    for prefix, node in wanted.items():
        if there.get(prefix) != node:
            yield f"route replace {prefix} via {node} dev {DEVICE} onlink"


def only_ipv4(peers: Peers) -> Peers:
    """Return what this agent can carry."""
    return {prefix: node for prefix, node in peers.items() if ip_network(prefix).version == 4}  # noqa: PLR2004


def run(*argv: str, text: str = "") -> str:
    """Run a program and return what it printed."""
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=10).stdout


def set_up(address: str) -> None:
    """Make the device and its filter; what an agent that was killed left is replaced."""
    tear_down()
    vxlan = ("type", "vxlan", "id", str(NUMBER), "dstport", str(NUMBER), "local", address, "nolearning")
    run("ip", "link", "add", DEVICE, "address", mac(address), "mtu", str(MTU), *vxlan)
    run("ip", "link", "set", DEVICE, "up")
    run("nft", "-f", "-", text=FILTER)


def tear_down() -> None:
    """Take away what was made; nothing if there is nothing."""
    for argv in (("ip", "link", "del", DEVICE), ("nft", "delete", "table", "ip", DEVICE)):
        subprocess.run(argv, capture_output=True, check=False, timeout=10)


def carry(wanted: Peers) -> None:
    """Make routes, neighbours and tunnel endpoints what is wanted."""
    routes = json.loads(run("ip", "-j", "route", "show", "dev", DEVICE) or "[]")
    lines = list(changes(wanted, {route["dst"]: route["gateway"] for route in routes if "gateway" in route}))
    for program, own in (("bridge", True), ("ip", False)):
        batch = [line for line in lines if line.startswith("fdb ") is own]
        if batch:
            run(program, "-batch", "-", text="\n".join([*batch, ""]))
            sys.stderr.write("".join(f"{program} {line}\n" for line in batch))


def read_peers() -> Peers:
    """Ask the API who the others are; nobody where nobody was told yet."""
    where = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    token = (ACCOUNT / "token").read_text(encoding="utf-8")
    asked = urllib.request.Request(
        f"https://{where}/api/v1/namespaces/{NAMESPACE}/configmaps/peers", headers={"Authorization": f"Bearer {token}"}
    )
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(asked, timeout=5, context=trusted) as answer:  # noqa: S310 - likewise
            peers: Peers = json.loads(json.load(answer)["data"]["peers"])
    except urllib.error.HTTPError as error:
        if error.code == 404:  # noqa: PLR2004 - not found
            return {}
        raise
    return peers


def end(_number: int, _frame: object) -> NoReturn:
    """End in order when the pod is deleted."""
    sys.exit(0)


def main() -> None:
    """Carry until ended. An API that does not answer changes nothing."""
    signal.signal(signal.SIGTERM, end)
    set_up(os.environ["NODE_ADDRESS"])
    try:
        while True:
            try:
                carry(only_ipv4(read_peers()))
            except (OSError, subprocess.SubprocessError) as error:
                sys.stderr.write(f"{error}\n")
            time.sleep(1)
    finally:
        tear_down()


if __name__ == "__main__":
    main()
