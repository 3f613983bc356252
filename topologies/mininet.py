"""The cluster sets of this folder at Mininet's prompt.

``mn --custom topologies/mininet.py --topo l3conf,two-clusters``: by the name of a file here, or a file of one's own; as
any user, for it goes on in namespaces of its own. Nodes have the names that ``l3conf lab exec`` knows:
``east@east-1 ping west@west-1``.
"""

import sys
from pathlib import Path

try:
    from l3conf.emulator.mininet.hardware import check_mininet
    from l3conf.emulator.mininet.prompt import ClusterSetCLI, ClusterSetTopo, move_into_namespaces
    from l3conf.errors import UserError
    from l3conf.plugin.options import chosen_topology, topology_file
    from l3conf.spec.files import load_topology
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}: use the mn of the environment that l3conf is installed in, e.g. .venv/bin/mn")


def cluster_set(name: str = "two-clusters") -> ClusterSetTopo:
    """Return the topology of a file, in namespaces that are this process's own from now on."""
    try:
        topology = load_topology(topology_file(chosen_topology(str(name)), Path.cwd()))
        move_into_namespaces()
        check_mininet()
    except UserError as error:
        sys.exit(f"mn: {error}")  # any other exception would have mn clean the machine of what it takes for Mininet's
    return ClusterSetTopo(topology=topology)


CLI = ClusterSetCLI
topos = {"l3conf": cluster_set}
