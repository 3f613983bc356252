"""Two clusters of two nodes in namespaces, with the habits of a bridge plugin and of kube-proxy.

::

    east: LAN 172.16.1.0/24, gateway .10, worker .11; pods 10.1.<n>.2, services 10.101.0.0/16
    west: LAN 172.16.2.0/24, gateway .10, worker .11; pods 10.2.<n>.2, services 10.102.0.0/16
    the LANs meet in a router; ClusterIP 10.10x.0.1 has the worker's pod as backend
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.agents import gateway, route_agent
from reference_impl.drivers.linux_kernel import LinuxKernel
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.diff import diff
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.node import Node, NodeFacts, plan_node
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.protocols.objects import Cluster, Endpoint
from reference_impl.state import KernelState, Ownership
from reference_impl.tests.kernel.sandbox import Host, cable, serve_tcp, serve_udp

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_impl.planner.cable import CableDriver
    from reference_impl.state import Observed

NODES = 2


@dataclass
class Site:
    """One cluster."""

    number: int
    nodes: list[Host] = field(default_factory=list)
    pods: list[Host] = field(default_factory=list)

    def node_address(self, index: int) -> str:
        return f"172.16.{self.number}.{10 + index}"

    def pod_address(self, index: int) -> str:
        return f"10.{self.number}.{index}.2"

    @property
    def service_address(self) -> str:
        return f"10.10{self.number}.0.1"

    @property
    def cluster(self) -> Cluster:
        return Cluster(
            cluster_id=f"site{self.number}",
            pod_cidrs=(ip_network(f"10.{self.number}.0.0/16"),),
            service_cidrs=(ip_network(f"10.10{self.number}.0.0/16"),),
        )

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            cluster_id=self.cluster.cluster_id,
            cable_name="cable",
            hostname="gateway",
            subnets=self.cluster.prefixes,
            private_ip=ip_address(self.node_address(0)),
            health_check_ip=ip_address(f"10.{self.number}.0.1"),
        )

    def as_nodes(self) -> list[Node]:
        return [
            Node(
                name=f"node{index}",
                underlay=ip_address(self.node_address(index)),
                pod_ranges=(ip_network(f"10.{self.number}.{index}.0/24"),),
            )
            for index in range(NODES)
        ]


def endpoint_of(site: Site, **changes: object) -> Endpoint:
    """Return the Endpoint of a site, changed."""
    return replace(site.endpoint, **changes)  # type: ignore[arg-type]


def build() -> tuple[Site, Site, Host]:
    """Build both sites, connected to a router, without any implementation."""
    router = Host("router")
    router.shell("sysctl -qw net.ipv4.ip_forward=1; ip link add wan type bridge; ip link set wan up")
    router.shell("ip addr add 192.0.2.1/24 dev wan")
    sites = Site(1), Site(2)
    for site in sites:
        router.shell(f"ip link add lan{site.number} type bridge; ip link set lan{site.number} up")
        router.shell(f"ip addr add 172.16.{site.number}.1/24 dev lan{site.number}")
        for index in range(NODES):
            _add_node(site, index, router)
    return *sites, router


def _add_node(site: Site, index: int, router: Host) -> None:
    n = site.number
    node, pod = Host(f"node{n}{index}"), Host(f"pod{n}{index}")
    cable(node, "eth0", router, f"n{n}{index}")
    router.shell(
        f"ip link set n{n}{index} master lan{n}; ip route add 10.{n}.{index}.0/24 via {site.node_address(index)}"
    )
    node.shell(
        f"""sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1
        ip addr add {site.node_address(index)}/24 dev eth0; ip route add default via 172.16.{n}.1
        ip link add cni0 type bridge; ip link set cni0 up; ip addr add 10.{n}.{index}.1/24 dev cni0
        """
    )
    for other in range(NODES):
        if other != index:
            node.shell(f"ip route add 10.{n}.{other}.0/24 via {site.node_address(other)}")
    node.shell(f"nft -f - <<'END'\n{_plugin_and_proxy(site)}END\n")
    cable(node, "pod", pod, "eth0")
    node.shell("ip link set pod master cni0")
    pod.shell(f"ip addr add {site.pod_address(index)}/24 dev eth0; ip route add default via 10.{n}.{index}.1")
    pod.background(serve_udp)
    pod.background(serve_tcp)
    site.nodes.append(node)
    site.pods.append(pod)


def _plugin_and_proxy(site: Site) -> str:
    """Masquerade as the bridge plugin and kube-proxy do."""
    pods = f"10.{site.number}.0.0/16"
    return f"""
table ip plugin {{
  chain postrouting {{ type nat hook postrouting priority srcnat;
    ip saddr {pods} ip daddr != {pods} masquerade
  }}
}}
table ip proxy {{
  chain prerouting {{ type nat hook prerouting priority dstnat;
    ip daddr {site.service_address} ip saddr != {pods} meta mark set meta mark or 0x4000
    ip daddr {site.service_address} dnat to {site.pod_address(1)}
  }}
  chain postrouting {{ type nat hook postrouting priority srcnat;
    meta mark and 0x4000 == 0x4000 masquerade
  }}
}}
"""


def connect(site: Site, other: Site, *, change: Callable[[KernelState], KernelState] = lambda plan: plan) -> None:
    """Program all nodes of a site for the other, as its agents would."""
    nodes = site.as_nodes()
    for node, host in zip(nodes, site.nodes, strict=True):

        def of_node(observed: Observed, node: Node = node) -> KernelState:
            return change(plan_of_node(site, other, node, observed))

        converge(host, route_agent.OWNERSHIP, of_node)

    def of_gateway(observed: Observed) -> KernelState:
        facts = GatewayFacts(
            own=site.cluster, underlay=nodes[0].underlay, peers=(other.endpoint,), addresses=observed.addresses
        )
        return change(plan_cables(facts, DriverSet((VXLANCables(),))))

    converge(site.nodes[0], gateway.OWNERSHIP, of_gateway)


def plan_of_node(
    site: Site,
    other: Site,
    node: Node,
    observed: Observed,
    *,
    gateway_index: int = 0,
    driver: CableDriver = VXLANCables(),  # noqa: B008 - frozen
) -> KernelState:
    """Plan one node of a site for the other site."""
    nodes = site.as_nodes()
    facts = NodeFacts(
        own=site.cluster,
        node=node,
        others=tuple(one for one in nodes if one != node),
        gateway=nodes[gateway_index].underlay,
        known=other.cluster.prefixes,
        reachable=other.cluster.prefixes,
        addresses=observed.addresses,
        guards=observed.guards,
        cable_devices=driver.devices,
        cable_overhead=driver.overhead[4],
    )
    return plan_node(facts)


def observe(node: Host, ownership: Ownership) -> Observed:
    """Return what the driver sees on a node."""

    def inside() -> str:
        kernel = LinuxKernel(ownership)
        seen = kernel.observe()
        kernel.close()
        return pickle.dumps(seen).hex()

    seen: Observed = pickle.loads(bytes.fromhex(node.run(inside)))  # noqa: S301 - our own child wrote it
    return seen


def disconnect(site: Site) -> None:
    """Clean all nodes of a site."""
    for node in site.nodes:
        for ownership in (gateway.OWNERSHIP, route_agent.OWNERSHIP):
            converge(node, ownership, lambda _: KernelState())


def converge(node: Host, ownership: Ownership, plan: Callable[[Observed], KernelState]) -> int:
    """Bring a node to a plan; return the number of steps taken. Any refused step fails the test."""

    def inside() -> str:
        kernel = LinuxKernel(ownership)
        observed = kernel.observe()
        steps = diff(plan(observed), observed)
        failures = kernel.apply(steps)
        kernel.close()
        assert not failures, failures
        return str(len(steps))

    return int(node.run(inside))


def configuration(node: Host) -> str:
    """Return everything in a node's network configuration that an implementation could leave behind."""
    return node.shell(
        """ip -o link | sed 's/ qdisc.*//'; ip -o -4 addr; ip rule; ip -6 rule
        ip route show table all; bridge fdb | sort; ip neigh show nud permanent; nft -s list ruleset
        """
    )
