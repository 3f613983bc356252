"""What a gateway says of a cable that works in part."""

from __future__ import annotations

import asyncio
import base64
from contextlib import closing
from ipaddress import ip_network

from reference_impl.drivers.api import NotFoundError
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.planner.ipsec import IPsecCables
from reference_impl.state import SubTunnel
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running


def ipsec(number: int) -> IPsecCables:
    return IPsecCables(base64.b64encode(bytes([number]) * 32).decode())


def test_the_worst_sub_tunnel_counts_whatever_echoes_say() -> None:
    async def story() -> None:
        east, west = FakeCluster(1, "east", driver=ipsec(1)), FakeCluster(2, "west", driver=ipsec(2))
        broker, kernel = FakeAPI(), east.kernel(0)
        lost = SubTunnel(peer="west", pair=(ip_network("10.101.0.0/16"), ip_network("10.2.0.0/16")))
        kernel.sub_tunnels_down.add(lost)
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            one.alive.add(west.kernel(0).addresses[1].address)
            async with running(
                east.gateway(0, broker, kernel, one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):

                async def says(status: str, text: str) -> bool:
                    try:
                        shown = (await east.gateway_status())["connections"]
                    except NotFoundError:
                        return False
                    return bool(shown) and shown[0]["status"] == status and text in shown[0].get("statusMessage", "")

                named = "SubTunnelDown: no packets between 10.101.0.0/16 and 10.2.0.0/16"
                await eventually(lambda: says("connecting", named), "the part that is down is named")
                kernel.sub_tunnels_down.clear()
                await eventually(lambda: says("connected", "confirmed"), "the whole cable is up")
                kernel.sub_tunnels_down.add(lost)
                await eventually(lambda: says("connecting", named), "and down again")

    asyncio.run(story())


def test_a_sub_tunnel_that_is_installed_and_carries_nothing_any_more_is_down() -> None:
    async def story() -> None:
        east, west, broker = FakeCluster(1, "east", driver=ipsec(1)), FakeCluster(2, "west", driver=ipsec(2)), FakeAPI()
        await east.add_nodes(1)
        await west.add_nodes(1)
        anchor = ip_network("10.102.0.0/16").network_address
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            one.alive |= {west.kernel(0).addresses[1].address, anchor}
            async with running(
                east.gateway(0, broker, east.kernel(0), one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):

                async def says(status: str, text: str) -> bool:
                    try:
                        shown = (await east.gateway_status())["connections"]
                    except NotFoundError:
                        return False
                    return bool(shown) and shown[0]["status"] == status and text in shown[0].get("statusMessage", "")

                await eventually(lambda: says("connected", "confirmed"), "what never answered is not missed")
                one.alive.remove(anchor)
                await eventually(lambda: says("connecting", "SubTunnelDown: no packets between 10.1"), "it is missed")
                one.alive.add(anchor)
                await eventually(lambda: says("connected", "confirmed"), "it is back")

    asyncio.run(story())
