"""One run of the fabric in a process of its own: ``python -m l3conf.bench.fabric_run CLUSTERS NODES PODS``.

Prints a JSON object: ``build_ms`` from the topology to the last configured pod, ``teardown_ms`` of the call that
lets go of everything, and the graph that was built, so that others can be asked for the same.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from ipaddress import IPv4Network

from l3conf.emulator.fabric.build import Fabric
from l3conf.emulator.fabric.plan import node_key, plan_fabric
from l3conf.emulator.fabric.pod_wiring import PodRequest
from l3conf.emulator.kernel import nftables
from l3conf.model.topology import ClusterSpec, NodeSpec, Topology


def topology(clusters: int, nodes: int) -> Topology:
    """Return a cluster set of that size."""
    return Topology(name="bench", clusters=tuple(_cluster(number, nodes) for number in range(1, clusters + 1)))


def _cluster(number: int, nodes: int) -> ClusterSpec:
    return ClusterSpec(
        name=f"c{number}",
        pod_cidrs=(IPv4Network(f"10.{number}.0.0/16"),),
        service_cidrs=(IPv4Network(f"10.{100 + number}.0.0/16"),),
        node_cidrs=(IPv4Network(f"172.16.{number}.0/24"),),
        nodes=tuple(NodeSpec(name=f"n{index}", gateway=index == 0) for index in range(nodes)),
    )


def pods_of(wanted: Topology, pods: int) -> list[PodRequest]:
    """Return ``pods`` pods on every node."""
    return [
        PodRequest(cluster.name, node.name, f"{cluster.name}-{node.name}-{number}")
        for cluster in wanted.clusters
        for node in cluster.nodes
        for number in range(pods)
    ]


def graph_of(wanted: Topology, pods: int) -> tuple[int, list[tuple[int, int]]]:
    """Return how many namespaces a topology with its pods has, and the veth pairs between them by number."""
    plans = plan_fabric(wanted).namespaces
    numbers = {key: number for number, key in enumerate(plans)}
    cables = [(numbers[key], numbers[cable.to]) for key, plan in plans.items() for cable in plan.cables]
    for number, request in enumerate(pods_of(wanted, pods), len(numbers)):
        cables.append((numbers[node_key(request.cluster, request.node)], number))
    return len(cables) + 1, cables  # a tree


def run(clusters: int, nodes: int, pods: int) -> dict[str, float]:
    """Build and let go, timed in milliseconds."""
    wanted = topology(clusters, nodes)
    requests = pods_of(wanted, pods)
    nftables.require()  # C's clock does not see the loading of its libraries either
    gc.freeze()  # as in the lab's process
    start = time.perf_counter()
    fabric = Fabric.build(wanted)
    fabric.add_pods(requests)
    built = time.perf_counter()
    fabric.close()
    closed = time.perf_counter()
    return {"build_ms": (built - start) * 1e3, "teardown_ms": (closed - built) * 1e3}


if __name__ == "__main__":
    print(json.dumps(run(*(int(argument) for argument in sys.argv[1:4]))))  # noqa: T201 - the answer
