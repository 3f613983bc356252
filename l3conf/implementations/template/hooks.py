"""Hooks of mylink: ``hooks.py VERB``, JSON in, JSON out. Replace what they do; keep how they answer.

Exit codes: 0 done, 127 cannot, 1 broke, with the reason as the last line of standard error. Hooks never judge, and
never wait for connections to form.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Request = Mapping[str, Any]
    Cluster = Mapping[str, Any]
    Peers = dict[str, str]

CANNOT = 127
NAMESPACE = "mylink"
MANIFESTS = Path(__file__).parent / "manifests"


class HookError(Exception):
    """The hook cannot do its work; the text says why."""


def deploy(request: Request) -> None:
    """Prepare every cluster; nothing is connected yet. Your broker's part would go to ``request["broker"]``."""
    for cluster in request["clusters"]:
        kubectl(cluster, "apply", "-f", str(MANIFESTS / "cluster.yaml"))


def join(request: Request) -> None:
    """Start agents in the cluster, and tell all members of each other."""
    kubectl(cluster_of(request), "apply", "-f", str(MANIFESTS / "agent.yaml"))
    tell(request)


def leave(request: Request) -> None:
    """Stop agents in the cluster, and tell those that stay. Also where it never joined."""
    kubectl(cluster_of(request), "delete", "daemonset", "agent", "-n", NAMESPACE, "--ignore-not-found", "--wait=false")
    tell(request, but=request["cluster"])


def remove(request: Request) -> None:
    """Take out everything everywhere, also what is there in part, or not at all."""
    for cluster in request["clusters"]:
        kubectl(cluster, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def gather(request: Request) -> None:
    """Write what people want to read after a failure."""
    for cluster in request["clusters"]:
        logs = kubectl(cluster, "logs", "-n", NAMESPACE, "-l", "app=agent", "--prefix", "--tail=200")
        (Path(request["workDirectory"]) / f"agents-{cluster['name']}.log").write_text(logs, encoding="utf-8")


def tell(request: Request, but: str = "") -> None:
    """Write into every member who the others are."""
    members = [cluster for cluster in request["clusters"] if cluster["name"] != but and is_member(cluster)]
    nodes = {
        cluster["name"]: json.loads(kubectl(cluster, "get", "nodes", "-o", "json"))["items"] for cluster in members
    }
    for cluster in members:
        others = [(other, nodes[other["name"]]) for other in members if other is not cluster]
        peers = {key: value for other, items in others for key, value in peers_of(other, items).items()}
        kubectl(cluster, "apply", "-f", "-", text=json.dumps(config_map(peers)))


def is_member(cluster: Cluster) -> bool:
    """Whether agents run in a cluster: the clusters remember, not the hooks."""
    return bool(kubectl(cluster, "get", "daemonset", "agent", "-n", NAMESPACE, "-o", "name", "--ignore-not-found"))


def peers_of(cluster: Cluster, nodes: Iterable[Mapping[str, Any]]) -> Peers:
    """Return how a cluster is reached: the address of a node by range of its pods, and one node for all Services."""
    addresses = {node["metadata"]["name"]: internal_address(node) for node in nodes}
    peers = {node["spec"]["podCIDR"]: addresses[node["metadata"]["name"]] for node in nodes}
    gateway = addresses[cluster["gatewayNodes"][0]]
    return {**peers, **dict.fromkeys(cluster["serviceCIDRs"], gateway)}


def internal_address(node: Mapping[str, Any]) -> str:
    """Return the address at which other nodes reach a node."""
    for address in node["status"]["addresses"]:
        if address["type"] == "InternalIP":
            return str(address["address"])
    raise HookError(f"node {node['metadata']['name']} has no InternalIP")


def config_map(peers: Peers) -> dict[str, Any]:
    """Return what agents read."""
    metadata = {"name": "peers", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"peers": json.dumps(peers)}}


def cluster_of(request: Request) -> Cluster:
    """Return the cluster that a request is about."""
    found: Cluster = next(cluster for cluster in request["clusters"] if cluster["name"] == request["cluster"])
    return found


def kubectl(cluster: Cluster, *words: str, text: str = "") -> str:
    """Run kubectl on a cluster and return what it printed."""
    argv = ["kubectl", "--kubeconfig", cluster["kubeconfig"], *words]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=50, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise HookError(f"kubectl {' '.join(words[:3])} on {cluster['name']}: {done.stderr.strip() or done.returncode}")
    return done.stdout


VERBS = {"deploy": deploy, "join": join, "leave": leave, "remove": remove, "gather": gather}


def main(arguments: list[str]) -> int:
    """Run one hook."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        return CANNOT
    try:
        VERBS[arguments[0]](json.load(sys.stdin))
    except (HookError, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
