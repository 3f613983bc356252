"""One run of Mininet: ``/usr/bin/python3 mininet_run.py HOSTS``, by the system's Python, which has Debian's package.

One Linux bridge with HOSTS hosts. Prints a JSON object: ``build_ms`` from the topology to the started network.
Imports nothing of l3conf: it runs by itself.
"""

from __future__ import annotations

import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo


def run(hosts: int) -> dict[str, float]:
    """Build and start, timed in milliseconds; stop without timing."""
    setLogLevel("critical")
    topology = SingleSwitchTopo(hosts)
    start = time.perf_counter()
    network = Mininet(topo=topology, switch=LinuxBridge, controller=None, build=False, waitConnected=False)
    network.build()
    network.start()
    started = time.perf_counter()
    network.stop()
    return {"build_ms": (started - start) * 1e3}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))  # noqa: T201 - the answer
