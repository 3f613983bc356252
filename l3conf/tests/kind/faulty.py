"""A ground of stubs on which faults are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.labs.kind.inflict import Faults
from l3conf.labs.kind.machines import Machines
from l3conf.plugin.cluster_api import ClusterAPI

if TYPE_CHECKING:
    from l3conf.labs.kind.ground import Ground
    from l3conf.tests.kind.conftest import Bench
    from l3conf.tests.kind.stub_values import Command

KUBEADM = """
kind: ClusterConfiguration
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: JoinConfiguration
nodeRegistration:
  criSocket: unix:///run/containerd/containerd.sock
  kubeletExtraArgs: {node-ip: 172.16.1.65, provider-id: kind://docker/east/w, node-labels: "", v: "2"}
discovery:
  bootstrapToken: {apiServerEndpoint: "c:6443", token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}
skipPhases: [preflight]
"""


class Node:
    """Answers what nodes are asked."""

    def __init__(self) -> None:
        self.rp_filter = {"all": "0", "eth0": "2"}

    def __call__(self, command: Command) -> tuple[int, str, str]:
        printed = {
            "kubeadm token create": "W1127 18:00 a warning\nq1w2e3.q1w2e3r4t5y6u7i8\n",
            "cat /kind/kubeadm.conf": KUBEADM,
            "cat /sys/class/net/eth0/iflink": "17\n",
            "ip -o link | sed -n 's/^17: \\([^:@]*\\).*/\\1/p'": "veth0a1b2c3\n",
        }
        if command.script in printed:
            return 0, printed[command.script], ""
        if "rp_filter; do" in command.script:
            return (
                0,
                "".join(f"/proc/sys/net/ipv4/conf/{name}/rp_filter {v}\n" for name, v in self.rp_filter.items()),
                "",
            )
        if "netem" in command.script:
            return 2, "", "Error: Specified qdisc kind is unknown."
        return 0, "", ""


def stood(bench: Bench) -> Ground:
    """Return a ground that stands."""
    bench.engine.on_exec = Node()
    built = bench.ground("nat-both-static")
    built.stand()
    bench.engine.commands.clear()
    return built


def faults_of(ground: Ground) -> Faults:
    """Return the faults of a ground."""

    def open_api(cluster: str) -> ClusterAPI:
        return ClusterAPI(cluster, ground.accesses[cluster].kubeconfig, timeout=5)

    return Faults(ground, Machines(ground, open_api, ground.as_made), open_api)


def scripts(bench: Bench, container: str) -> list[str]:
    return [command.script for command in bench.engine.commands if command.container == container]
