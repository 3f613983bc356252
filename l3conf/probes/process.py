"""The prober process: an engine at the other end of an inherited socket, ``python -m l3conf.probes.process <fd>``.

Started by ``prober.Prober``. It imports little, so that it starts quickly, and dies with its parent.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import suppress

from l3conf.emulator.kernel.namespaces import prctl_pdeathsig
from l3conf.probes.control import Channel
from l3conf.probes.engine import Engine

_COLLECT_EVERY = 100_000
"""Allocations between two collections."""


def main(descriptor: int) -> None:
    """Serve the control socket until the other end closes it."""
    prctl_pdeathsig(signal.SIGKILL)  # a parent that died before this has closed the socket: read as end of file
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's ^C is for the parent to act on
    with suppress(PermissionError):  # it leads a session already
        # A session of its own is scheduled as one against all that it measures (sched(7), autogroup).
        os.setsid()
    # Nothing in the engine needs the collector of cycles, and its walks over thousands of flights cost a tenth of
    # the speed.
    gc.set_threshold(_COLLECT_EVERY)
    engine = Engine()
    clients = [descriptor]
    Channel(engine, socket.socket(fileno=descriptor), clients.clear)
    while clients:
        engine.step()
    engine.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
