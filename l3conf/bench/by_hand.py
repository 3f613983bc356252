"""Tunnels between two gateway nodes, made by hand with the tools of each: what cables are measured against."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.bench import by_hand_ipsec
from l3conf.bench.runners import UnavailableError
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from l3conf.model.topology import IPAddress, IPNetwork

HELD = 3600
"""Seconds that a tunnel is held at most: longer than any benchmark."""
_PATIENCE = 20.0
_DEVICE = "by-hand"
_PORT = 4789


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a tunnel."""

    place: str
    """``CLUSTER@NODE``"""
    underlay: IPAddress
    pods: IPNetwork
    inner: str
    """The end's own address inside the tunnel."""


class HeldCommand:
    """A shell script at a place of a lab, whose processes live until the lab ends."""

    def __init__(self, lab: EmulatedLab, place: str, script: str, marker: str) -> None:
        """Return once ``marker``, a shell command, succeeds at the place."""
        self._own = EmulatedLab(lab.topology, lab.state)  # a connection of its own: this call lasts
        self._answer: list[tuple[int, str, str]] = []
        self._thread = threading.Thread(target=self._run, args=(place, script), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _PATIENCE
        while lab.run(place, ["/bin/sh", "-c", marker], timeout=_PATIENCE)[0]:
            if self._answer or time.monotonic() > deadline:
                raise LabError(f"a tunnel by hand did not come up: {self._answer}", where=place)
            time.sleep(0.05)

    def _run(self, place: str, script: str) -> None:
        argv = ["/bin/sh", "-ec", f"{script}\nsleep {HELD}"]
        try:
            self._answer.append(self._own.run(place, argv, timeout=float(HELD)))
        except LabError as error:  # the lab has ended, and the tunnel with it
            self._answer.append((1, "", str(error)))


def vxlan(lab: EmulatedLab, one: End, other: End) -> None:
    """Connect two gateway nodes by VXLAN (``ip link add type vxlan``)."""
    for here, there in ((one, other), (other, one)):
        _shell(
            lab,
            here.place,
            f"ip link add {_DEVICE} type vxlan id 77 dstport {_PORT} local {here.underlay} remote {there.underlay}\n"
            f"ip link set {_DEVICE} mtu 1450 up\n"
            f"ip address add {here.inner}/30 dev {_DEVICE}\n"
            f"ip route add {there.pods} via {there.inner} dev {_DEVICE}\n",
        )


def wireguard(lab: EmulatedLab, one: End, other: End) -> None:
    """Connect two gateway nodes by WireGuard: the kernel's where it has it, else ``wireguard-go``; ``wg set``."""
    keys = {end.place: _wireguard_keys() for end in (one, other)}
    for here, there in ((one, other), (other, one)):
        private, _ = keys[here.place]
        _, public = keys[there.place]
        script = (
            f"ip link add {_DEVICE} type wireguard 2>/dev/null ||"
            f" {{ mkdir -p /var/run/wireguard; wireguard-go {_DEVICE} >/dev/null 2>&1; }}\n"
            f"umask 077; cat > /run/by-hand.key <<'KEY'\n{private}\nKEY\n"
            f"wg set {_DEVICE} listen-port {_PORT} private-key /run/by-hand.key peer {public}"
            f" allowed-ips {there.pods},{there.inner}/32 endpoint {there.underlay}:{_PORT}\n"
            f"ip link set {_DEVICE} mtu 1420 up\n"
            f"ip address add {here.inner}/30 dev {_DEVICE}\n"
            f"ip route add {there.pods} dev {_DEVICE}\n"
        )
        HeldCommand(lab, here.place, script, f"ip route show {there.pods} | grep -q {_DEVICE}")


def ipsec(lab: EmulatedLab, one: End, other: End) -> None:
    """Connect two gateway nodes by IPsec: strongSwan, ``swanctl``, ESP in the kernel where it can, else libipsec."""
    secret = by_hand_ipsec.new_secret()
    for here, there in ((one, other), (other, one)):
        script = by_hand_ipsec.script(here, there, secret, calls=here is other)
        HeldCommand(lab, here.place, script, by_hand_ipsec.ready(there))


def _wireguard_keys() -> tuple[str, str]:
    try:
        private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607
        public = subprocess.run(
            ["wg", "pubkey"],  # noqa: S607 - the distribution decides where it lives
            input=private,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise UnavailableError("wg is not installed (package wireguard-tools)") from None
    return private, public


def _shell(lab: EmulatedLab, place: str, script: str) -> None:
    code, _, said = lab.run(place, ["/bin/sh", "-ec", script], timeout=_PATIENCE)
    if code:
        raise LabError(f"a tunnel by hand did not come up: {said.strip()}", where=place)


TUNNELS: Mapping[str, Callable[[EmulatedLab, End, End], None]] = {
    "vxlan": vxlan,
    "wireguard": wireguard,
    "ipsec": ipsec,
}
