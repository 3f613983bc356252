"""What happens to NATs while connections run: they forget, reboot, and get other addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from l3conf.emulator.fabric.elements import UPLINK
from l3conf.emulator.fabric.encode import route_request
from l3conf.emulator.fabric.nat import DARK_TABLE, TABLE, dark_ruleset, nat_ruleset, new_seed
from l3conf.emulator.fabric.plan import router_key
from l3conf.emulator.fabric.sites import nat_plan
from l3conf.emulator.kernel.conntrack import forget_connections
from l3conf.emulator.kernel.links import add_address, delete_address
from l3conf.emulator.kernel.netlink import RouteSocket
from l3conf.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address

    from l3conf.emulator.fabric.build import Fabric
    from l3conf.emulator.fabric.elements import Route
    from l3conf.emulator.fabric.nat import NATPlan


class SiteNATs:
    """The NATs of one fabric as they are now; faults are named by site."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        plans = {cluster.name: nat_plan(fabric.topology, cluster) for cluster in fabric.topology.clusters}
        self._plans = {name: plan for name, plan in plans.items() if plan is not None}

    async def rebind(self, site: str) -> None:
        """Forget all mappings of a site's NAT, and choose other ports for new ones."""
        await self._load(site, replace(self._plan(site), seed=new_seed()))

    async def reboot(self, site: str) -> Callable[[], Awaitable[None]]:
        """Stop a site's router until the returned call, which starts it with no mapping."""
        self._plan(site)
        router = router_key(site)
        await self._fabric.load_ruleset_async(router, dark_ruleset())

        async def start() -> None:
            await self.rebind(site)
            await self._fabric.load_ruleset_async(router, f"delete table inet {DARK_TABLE}\n")

        return start

    async def change_address(self, site: str, address: IPv4Address) -> Callable[[], Awaitable[None]]:
        """Give a site another public address until the returned call."""
        before = self._plan(site).public
        network = self._wan()
        taken = {each.interface.ip for plan in self._fabric.plan.namespaces.values() for each in plan.addresses}
        if address not in network or address in taken or address in {network[0], network[-1]}:
            raise LabError(f"{address} is no free address of {network}", remedy="choose another")
        await self._move(site, address)

        async def restore() -> None:
            await self._move(site, before)

        return restore

    async def _move(self, site: str, address: IPv4Address) -> None:
        plan, length = self._plan(site), self._wan().prefixlen
        key = router_key(site)
        routes = [route for route in self._fabric.plan.namespaces[key].routes if self._is_uplink(route)]
        with RouteSocket(self._fabric.namespace(key)) as route:
            # With its last address a link loses its routes.
            route.execute([delete_address(UPLINK, IPv4Interface(f"{plan.public}/{length}"))])
            route.execute([add_address(UPLINK, IPv4Interface(f"{address}/{length}"))])
            route.execute([route_request(each) for each in routes])
        await self._load(site, replace(plan, public=address))

    def _is_uplink(self, route: Route) -> bool:
        """Say whether a route leads to the WAN by IPv4."""
        if not isinstance(route.destination, IPv4Network):
            return False
        return route.via in self._wan() if route.via is not None else route.link == UPLINK

    async def _load(self, site: str, plan: NATPlan) -> None:
        key = router_key(site)
        await self._fabric.load_ruleset_async(key, f"delete table ip {TABLE}\n{nat_ruleset(plan)}")
        forget_connections(self._fabric.namespace(key))
        self._plans[site] = plan

    def _plan(self, site: str) -> NATPlan:
        try:
            return self._plans[site]
        except KeyError:
            known = ", ".join(self._plans) or "no site does"
            raise LabError(f"the site of {site!r} has no NAT of its own; sites with one: {known}") from None

    def _wan(self) -> IPv4Network:
        return next(cidr for cidr in self._fabric.topology.wan_cidrs if isinstance(cidr, IPv4Network))
