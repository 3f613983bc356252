"""One TCP stream between two pods, as its receiver counts it."""

from __future__ import annotations

import shutil
import sys
import threading

from l3conf.bench.by_hand import HELD
from l3conf.errors import LabError
from l3conf.labs.emulated import EmulatedLab

SECONDS = 2.0
"""How long one stream sends."""
_PORT = 9900
_TIMEOUT = 60.0
_RECEIVER = f"""
import socket, time
listener = socket.create_server(("", {_PORT}))
while True:
    stream, _ = listener.accept()
    began, received, room = time.monotonic(), 0, bytearray(1 << 20)
    while size := stream.recv_into(room):
        received += size
    stream.sendall(b"%d %f" % (received, time.monotonic() - began))
    stream.close()
"""
_SENDER = """
import socket, sys, time
deadline = time.monotonic() + 20
while True:
    try:
        stream = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
stream.settimeout(30)
chunk, end = bytes(1 << 18), time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    stream.sendall(chunk)
stream.shutdown(socket.SHUT_WR)
print(stream.recv(64).decode())
"""


def receive(lab: EmulatedLab, place: str) -> None:
    """Start a receiver in a pod; it ends with its lab."""
    run_in_background(lab, place, python(_RECEIVER))


def run_in_background(lab: EmulatedLab, place: str, argv: list[str]) -> None:
    """Run a command at a place of a lab until the lab ends."""
    own = EmulatedLab(lab.topology, lab.state)  # a connection of its own: this call lasts

    def run() -> None:
        try:
            own.run(place, argv, timeout=float(HELD))
        except LabError:  # the lab has ended
            return

    threading.Thread(target=run, daemon=True).start()


def send(lab: EmulatedLab, place: str, address: str) -> float:
    """Return the throughput of one stream in Gbit/s, as its receiver counted it."""
    argv = [*python(_SENDER), address, str(_PORT), str(SECONDS)]
    code, answer, said = lab.run(place, argv, timeout=_TIMEOUT)
    if code:
        raise LabError(f"a stream broke off: {said.strip()[-300:]}", where=place)
    received, seconds = answer.split()
    return int(received) * 8 / float(seconds) / 1e9


def python(program: str) -> list[str]:
    """Return the command that runs a Python program by what every host has."""
    return [shutil.which("python3") or sys.executable, "-S", "-c", program]
