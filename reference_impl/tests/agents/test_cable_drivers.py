"""Which drivers there are, and what agents make of peers that offer another one or none that works."""

from __future__ import annotations

import asyncio
import base64
from contextlib import closing
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from reference_impl.agents.cable_drivers import load_driver, load_drivers
from reference_impl.agents.settings import SettingsError
from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.names import BROKER_NAMESPACE, CABLE_DRIVER_GROUP, MEMBER_NAMESPACE, WIREGUARD_DEVICE
from reference_impl.planner.skew import own_parameters
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.state import WireGuardLink
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running
from reference_impl.tests.agents.third_party import ThirdPartyCables
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object


def wireguard(number: int) -> WireGuardCables:
    return WireGuardCables(base64.b64encode(bytes([number]) * 32).decode())


async def connections(cluster: FakeCluster) -> dict[str, tuple[str, str]]:
    try:
        listed = (await cluster.gateway_status())["connections"]
    except NotFoundError:
        return {}
    return {entry["endpoint"]["cluster_id"]: (entry["status"], entry.get("statusMessage", "")) for entry in listed}


def says(cluster: FakeCluster, peer: str, status: str, text: str = ""):  # type: ignore[no-untyped-def] # noqa: ANN201
    async def condition() -> bool:
        found = (await connections(cluster)).get(peer, ("", ""))
        return found[0] == status and text in found[1]

    return condition


def test_built_in_drivers_are_found_by_backend() -> None:
    assert load_driver("vxlan") == VXLANCables()
    assert load_driver("wireguard", "key") == WireGuardCables("key")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with a driver of its own (``third_party.py``)."""
    entry = EntryPoint("plain", f"{ThirdPartyCables.__module__}:ThirdPartyCables.for_node", CABLE_DRIVER_GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry] if group == CABLE_DRIVER_GROUP else [])


@pytest.mark.usefixtures("installed")
def test_an_installed_package_adds_a_driver_by_entry_point() -> None:
    assert load_driver("plain", "key") == ThirdPartyCables()


@pytest.mark.usefixtures("installed")
def test_a_driver_from_elsewhere_connects_clusters_beside_a_built_in_one() -> None:
    async def story() -> None:
        east = FakeCluster(1, "east", names=("plain", "vxlan"))
        west, south = FakeCluster(2, "west", names=("plain",)), FakeCluster(3, "south", names=("vxlan",))
        broker, kernel = FakeAPI(), east.kernel(0)
        for cluster in (east, west, south):
            await cluster.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two, closing(FakeEcho()) as three:
            async with running(
                east.gateway(0, broker, kernel, one).run(),
                west.gateway(0, broker, west.kernel(0), two).run(),
                south.gateway(0, broker, south.kernel(0), three).run(),
            ):
                await eventually(says(east, "west", "connecting"), "east knows west")
                await eventually(says(east, "south", "connecting"), "east knows south")
                await eventually(says(west, "south", "error", "'vxlan' there, 'plain' here"), "west says why")
        ways = {str(route.destination): route.device for route in kernel.observe().state.routes}
        assert (ways["10.2.0.0/16"], ways["10.3.0.0/16"]) == ("plain0", "vxlan-tunnel")

    asyncio.run(story())


def test_two_drivers_that_would_take_each_other_s_port_are_refused() -> None:
    with pytest.raises(SettingsError, match="two use the same port"):
        load_drivers(("vxlan", "vxlan"))


def test_a_driver_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingsError, match="'gre'; installed are libreswan, vxlan, wireguard"):
        load_driver("gre")


def test_a_kernel_without_wireguard_makes_an_error_with_a_reason_and_no_route() -> None:
    async def story() -> None:
        east, west = FakeCluster(1, "east", driver=wireguard(1)), FakeCluster(2, "west", driver=wireguard(2))
        broker, kernel = FakeAPI(), east.kernel(0)
        kernel.without = (WireGuardLink,)
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            async with running(
                east.gateway(0, broker, kernel, one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):
                await eventually(says(east, "west", "error", "NotProgrammed"), "east says why")
        assert kernel.observe().state.links == frozenset()
        assert not [route for route in kernel.observe().state.routes if route.device]

    asyncio.run(story())


def test_members_with_different_drivers_say_so_and_others_connect() -> None:
    async def story() -> None:
        east, west = FakeCluster(1, "east", driver=wireguard(1)), FakeCluster(2, "west", driver=wireguard(2))
        south, broker, kernel = FakeCluster(3, "south"), FakeAPI(), FakeCluster(1, "east").kernel(0)
        for cluster in (east, west, south):
            await cluster.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two, closing(FakeEcho()) as three:
            async with running(
                east.gateway(0, broker, kernel, one).run(),
                west.gateway(0, broker, west.kernel(0), two).run(),
                south.gateway(0, broker, south.kernel(0), three).run(),
            ):
                await eventually(says(east, "south", "error", "DriverMismatch"), "east says why")
                await eventually(says(south, "east", "error", "DriverMismatch"), "so does south")
                await eventually(says(east, "west", "connecting"), "east knows west")
                steps = len(kernel.history)
                await asyncio.sleep(0.05)
                assert len(kernel.history) == steps
        assert {route.device for route in kernel.observe().state.routes} == {WIREGUARD_DEVICE}

    asyncio.run(story())


def test_a_gateway_that_starts_while_the_broker_is_away_works_from_what_its_member_knows() -> None:
    async def story() -> None:
        east, west = FakeCluster(1, "east", driver=wireguard(1)), FakeCluster(2, "west", driver=wireguard(2))
        broker = FakeAPI()
        await east.add_nodes(1)
        await west.add_nodes(1)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two, closing(FakeEcho()) as three:
            async with running(
                east.gateway(0, broker, east.kernel(0), one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):
                await eventually(says(east, "west", "connecting"), "east knows west")
            broker.reachable = False
            rebooted = east.kernel(0)
            async with running(east.gateway(0, broker, rebooted, three).run()):

                async def programmed() -> bool:
                    return bool(rebooted.observe().state.peers)

                await eventually(programmed, "the cable is back without the broker")
        assert {route.device for route in rebooted.observe().state.routes} == {WIREGUARD_DEVICE}

    asyncio.run(story())


def test_the_public_key_travels_and_no_private_one_does() -> None:
    async def story() -> list[Object]:
        east, broker = FakeCluster(1, "east", driver=wireguard(1)), FakeAPI()
        await east.add_nodes(1)
        with closing(FakeEcho()) as echo:
            async with running(east.gateway(0, broker, east.kernel(0), echo).run()):

                async def published() -> bool:
                    return bool((await broker.list(Resource.ENDPOINT, BROKER_NAMESPACE))[0])

                await eventually(published, "east is published")
        return [
            *(await broker.list(Resource.ENDPOINT))[0],
            *(await east.api.list(Resource.ENDPOINT, MEMBER_NAMESPACE))[0],
        ]

    for obj in asyncio.run(story()):
        assert obj["spec"]["backend"] == "wireguard"
        of_ours = own_parameters(VERSION, "wireguard")
        assert obj["spec"]["backend_config"] == {"udp-port": "4500", "publicKey": wireguard(1).own_identity, **of_ours}
