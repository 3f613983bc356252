"""Two clusters with the very same ranges, in a real kernel.

::

    pods 10.1.0.2 and .3 ── cni0 10.1.0.1  gateway  cable ───── cable  gateway  10.1.0.1 cni0 ── pods 10.1.0.2 and .3
         east: known as 100.64.1.0/24                (MTU 1300)         west: known as 100.64.2.0/24
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from reference_impl.drivers.conntrack import forget_stale_flows
from reference_impl.drivers.nftables import Table
from reference_impl.names import CABLE_DEVICE, GLOBAL_TABLE
from reference_impl.planner.global_rules import global_ruleset
from reference_impl.planner.ledger import Ledger, gateway_address
from reference_impl.planner.translation import Door, Translation, bindings
from reference_impl.tests.kernel.sandbox import Host, cable, serve_tcp, serve_udp

if TYPE_CHECKING:
    from reference_impl.flows import Bindings
    from reference_impl.state import IPAddress, IPNetwork

GATEWAY, PODS = ip_address("10.1.0.1"), (ip_address("10.1.0.2"), ip_address("10.1.0.3"))
POOLS = ip_network("100.64.1.0/24"), ip_network("100.64.2.0/24")
SERVICE, OWN = 8, 9
"""Offsets in each pool: of a Service over both pods, and of the first pod."""
CLUSTER = (2, 3)
CABLE_MTU = 1300
CONVERSING = 7002


@dataclass
class Site:
    """One cluster."""

    pool: IPNetwork
    other: IPNetwork
    gateway: Host
    pods: list[Host]

    def at(self, offset: int) -> str:
        return str(self.pool[offset])

    @property
    def cluster(self) -> set[str]:
        """Return as whom pods without an address of their own call."""
        return {self.at(offset) for offset in CLUSTER}

    def translation(self, *, own: bool = True) -> Translation:
        """Return the plan; ``own``: whether the first pod has an address."""
        hosts: dict[IPAddress, IPAddress] = {gateway_address(self.pool): GATEWAY}
        ports = tuple((address, 7000) for address in PODS)
        doors = [Door(address=self.pool[SERVICE], protocol=name, port=80, backends=ports) for name in ("tcp", "udp")]
        talking = tuple((address, CONVERSING) for address in PODS)
        doors.append(Door(address=self.pool[SERVICE], protocol="tcp", port=81, backends=talking))
        return Translation(
            pool=self.pool,
            hosts=hosts | ({self.pool[OWN]: PODS[0]} if own else {}),
            doors=tuple(doors),
            cluster=tuple(self.pool[offset] for offset in CLUSTER),
        )

    def bound(self, translation: Translation) -> Bindings:
        held = {"cluster": CLUSTER, "service": (SERVICE,)}
        if self.pool[OWN] in translation.hosts:
            held["pod"] = (OWN,)
        return bindings(translation, Ledger(pool=self.pool, held=held), [self.other])

    def load(self, translation: Translation | None = None, *, afresh: bool = False) -> None:
        """``afresh``: as another gateway does that takes over."""
        ruleset = global_ruleset([translation or self.translation()], (CABLE_DEVICE,))

        def inside() -> str:
            table = Table(GLOBAL_TABLE)
            if afresh:
                table.remove()
            table.load(ruleset)
            return ""

        self.gateway.run(inside)

    def forget(self, translation: Translation) -> int:
        return int(self.gateway.run(lambda: str(forget_stale_flows(self.bound(translation)))))


def build() -> tuple[Site, Site]:
    sites = []
    for name, pool, other in (("east", POOLS[0], POOLS[1]), ("west", POOLS[1], POOLS[0])):
        gateway = Host(f"{name}-gateway")
        gateway.shell(
            f"""sysctl -qw net.ipv4.ip_forward=1 net.ipv4.ping_group_range="0 0"
            ip link add cni0 type bridge; ip addr add {GATEWAY}/24 dev cni0; ip link set cni0 up"""
        )
        pods = [Host(f"{name}-pod{index}") for index in range(len(PODS))]
        for index, (pod, address) in enumerate(zip(pods, PODS, strict=True)):
            cable(gateway, f"pod{index}", pod, "eth0")
            gateway.shell(f"ip link set pod{index} master cni0")
            pod.shell(f"ip addr add {address}/24 dev eth0; ip route add default via {GATEWAY}")
            pod.background(serve_udp)
            pod.background(serve_tcp)
        sites.append(Site(pool, other, gateway, pods))
    east, west = sites
    cable(east.gateway, CABLE_DEVICE, west.gateway, CABLE_DEVICE)
    for site, number in ((east, 1), (west, 2)):
        site.gateway.shell(
            f"""ip addr add 192.0.2.{number}/24 dev {CABLE_DEVICE}; ip link set {CABLE_DEVICE} mtu {CABLE_MTU}
            ip route add {site.other} via 192.0.2.{3 - number}"""
        )
    return east, west


def translating() -> tuple[Site, Site]:
    east, west = build()
    east.load()
    west.load()
    return east, west
