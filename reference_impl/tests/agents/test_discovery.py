"""NAT discovery of whole agents, on a network in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from reference_impl.agents.discovery import Discovery
from reference_impl.agents.public_address import PublicAddressWatch
from reference_impl.drivers.api import NotFoundError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.drivers.fake_discovery_socket import FakeNetwork
from reference_impl.drivers.fake_echo import FakeEcho
from reference_impl.drivers.key_file import KeyPair
from reference_impl.drivers.pair_secret import DISCOVERY, pair_secret
from reference_impl.names import PUBLIC_KEY
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.protocols.discovery import DiscoveryTimings
from reference_impl.protocols.discovery_messages import Kind, Message, decode, encode, tag
from reference_impl.protocols.gateway_settings import PREFIX, PublicAddress
from reference_impl.tests.agents.cluster_set import FakeCluster, eventually, running
from reference_impl.tests.planner.facts import endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_impl.drivers.discovery_socket import Datagram
    from reference_impl.protocols.objects import Endpoint
    from reference_impl.state import IPAddress

KEYS = {number: KeyPair(bytes([number]) * 32) for number in (1, 2, 3)}
QUICK = DiscoveryTimings(eager_interval=0.02, interval=0.02, eager=1.0)
WEST, PUBLIC = ip_address("172.16.2.10"), ip_address("192.0.2.11")
EAST = ip_address("172.16.1.10")


def peer(number: int, **changes: object) -> Endpoint:
    parameters = frozenset({(PUBLIC_KEY, KEYS[number].public), ("natt-discovery-port", "4490")})
    return endpoint(number, **{"parameters": parameters, **changes})


class Gateways:
    """East's discovery, and west's, on one network."""

    def __init__(self, network: FakeNetwork, west: Endpoint) -> None:
        self.network = network
        self.west = west
        self.discoveries = {
            number: Discovery(KEYS[number], lambda: None, sockets=network.open, timings=QUICK) for number in (1, 2)
        }

    def watch(self) -> None:
        for number, local, other in ((1, EAST, self.west), (2, WEST, peer(1))):
            self.discoveries[number].watch((), (local, 4490), (other,), lambda each: each.parameter(PUBLIC_KEY))

    @property
    def way(self) -> tuple[IPAddress, str]:
        (found,) = self.discoveries[1].located((self.west,))
        assert found.way is not None
        return found.tunnel_address, found.way.reason

    async def becomes(self, *wanted: object) -> None:
        async def condition() -> bool:
            return self.way == wanted

        await eventually(condition, f"{wanted}, not {self.way}")


@asynccontextmanager
async def discovering(network: FakeNetwork, west: Endpoint) -> AsyncIterator[Gateways]:
    gateways = Gateways(network, west)
    gateways.watch()
    async with running(*(each.run() for each in gateways.discoveries.values())):
        yield gateways


def test_before_any_answer_the_published_address_is_used() -> None:
    async def story() -> None:
        network = FakeNetwork(unreachable={WEST})
        async with discovering(network, peer(2)) as gateways:
            assert gateways.way == (WEST, "Published")

    asyncio.run(story())


def test_the_private_address_is_used_where_it_answers_and_the_public_one_elsewhere() -> None:
    async def story() -> None:
        network = FakeNetwork(aliases={PUBLIC: WEST}, unreachable={WEST})
        async with discovering(network, peer(2, public_ip=PUBLIC)) as gateways:
            await gateways.becomes(PUBLIC, "PublicAddress")
            network.aliases.clear()
            network.unreachable.clear()
            await gateways.becomes(WEST, "PrivateAddress")

    asyncio.run(story())


def test_neither_replays_nor_forgeries_move_what_is_established() -> None:
    async def story() -> None:
        network, outsider = FakeNetwork(), (ip_address("203.0.113.9"), 4490)
        async with discovering(network, peer(2)) as gateways:
            await gateways.becomes(WEST, "PrivateAddress")
            secret = pair_secret(KEYS[1], KEYS[2].public, DISCOVERY)
            replies = [
                each.data
                for each in network.sent
                if (read := decode(each.data, secret)) and read.kind is Kind.REPLY and each.address == EAST
            ]
            assert replies
            made = Message(kind=Kind.REPLY, sender=tag(KEYS[2].public), receiver=tag(KEYS[1].public), nonce=bytes(16))
            forged = encode(replace(made, seen=outsider), bytes(32))
            for data in (*replies, forged, b"", bytes(300)):
                network.deliver(data, outsider, (EAST, 4490))
            await asyncio.sleep(0)
            assert gateways.discoveries[1].claimed["c2"] in {outsider, (WEST, 4490)}
            assert gateways.way == (WEST, "PrivateAddress")

    asyncio.run(story())


def test_a_recorded_request_is_answered_with_nothing_that_anybody_awaits() -> None:
    async def story() -> None:
        network, outsider = FakeNetwork(), (ip_address("203.0.113.9"), 4490)
        async with discovering(network, peer(2)) as gateways:
            await gateways.becomes(WEST, "PrivateAddress")
            request = next(each.data for each in network.sent if each.address == WEST)
            network.sent.clear()
            network.deliver(request, outsider, (WEST, 4490))

            async def answered() -> bool:
                return any(each.address == outsider[0] for each in network.sent)

            await eventually(answered, "the request is answered")
            assert all(len(each.data) == len(request) for each in network.sent)
            assert gateways.way == (WEST, "PrivateAddress")

    asyncio.run(story())


def test_a_stranger_is_not_answered() -> None:
    async def story() -> None:
        network = FakeNetwork()
        async with discovering(network, peer(2)):
            secret = pair_secret(KEYS[3], KEYS[1].public, DISCOVERY)
            stranger = (ip_address("203.0.113.9"), 4490)
            asked = Message(
                kind=Kind.REQUEST, sender=tag(KEYS[3].public), receiver=tag(KEYS[1].public), nonce=bytes(16)
            )
            network.deliver(encode(asked, secret), stranger, (EAST, 4490))
            await asyncio.sleep(0.05)
            assert not [each for each in network.sent if each.address == stranger[0]]

    asyncio.run(story())


def test_a_peer_without_the_published_key_is_found_out_and_so_is_its_return() -> None:
    async def story() -> None:
        network = FakeNetwork()
        async with discovering(network, peer(2)) as gateways:
            await gateways.becomes(WEST, "PrivateAddress")
            east = gateways.discoveries[1]
            for published, found in ((3, {"c2"}), (2, set())):
                parameters = frozenset({(PUBLIC_KEY, KEYS[published].public), ("natt-discovery-port", "4490")})
                gateways.west = peer(2, parameters=parameters)
                gateways.watch()

                async def noticed(wanted: set[str] = found) -> bool:
                    return set(east.impostors) == wanted

                await eventually(noticed, f"impostors {found}, not {east.impostors}")
                assert gateways.way == (WEST, "PrivateAddress")

    asyncio.run(story())


def test_whose_address_it_is_is_told_only_where_the_peer_was_proved_to_be() -> None:
    async def story() -> None:
        network, outsider = FakeNetwork(), (ip_address("203.0.113.9"), 4490)
        async with discovering(network, peer(2)) as gateways:
            await gateways.becomes(WEST, "PrivateAddress")
            other = Message(
                kind=Kind.REQUEST, sender=tag(KEYS[1].public), receiver=tag(KEYS[3].public), nonce=bytes(16)
            )
            asked = encode(other, bytes(32))
            recorded = next(each.data for each in network.sent if each.address == WEST)
            network.deliver(recorded, outsider, (WEST, 4490))
            await asyncio.sleep(0.05)
            for source in (outsider, (EAST, 4490)):
                network.sent.clear()
                network.deliver(asked, source, (WEST, 4490))

                async def told(source: tuple[IPAddress, int] = source) -> bool:
                    found = [
                        each for each in network.sent if (each.address, each.data[24:40]) == (source[0], bytes(16))
                    ]
                    return [len(each.data) for each in found] == [len(asked)]

                if source is outsider:
                    await asyncio.sleep(0.05)
                    assert not await told()
                else:
                    await eventually(told, "it is told whose address it is")
            assert gateways.discoveries[1].impostors == {}

    asyncio.run(story())


def test_a_port_that_cannot_be_had_is_reported_and_tried_again() -> None:
    async def story() -> None:
        network = FakeNetwork()
        taken = network.open(EAST, 4490)
        async with discovering(network, peer(2)) as gateways:
            assert "172.16.1.10 port 4490" in gateways.discoveries[1].problem
            assert gateways.way == (WEST, "Published")
            taken.close()
            gateways.watch()
            assert gateways.discoveries[1].problem == ""
            await gateways.becomes(WEST, "PrivateAddress")

    asyncio.run(story())


def test_discovery_that_is_switched_off_asks_nobody() -> None:
    async def story() -> None:
        network = FakeNetwork()
        discovery = Discovery(KEYS[1], lambda: None, sockets=network.open, timings=QUICK)
        discovery.watch((), (EAST, 0), (peer(2),), lambda each: each.parameter(PUBLIC_KEY))
        async with running(discovery.run()):
            await asyncio.sleep(0.05)
        assert network.sent == []
        (found,) = discovery.located((peer(2),))
        assert found.tunnel_address == WEST

    asyncio.run(story())


def test_an_address_inside_another_member_s_prefix_is_never_asked() -> None:
    async def story() -> list[Datagram]:
        network = FakeNetwork()
        discovery = Discovery(KEYS[1], lambda: None, sockets=network.open, timings=QUICK)
        odd = peer(2, private_ip=ip_address("10.3.0.5"))
        discovery.watch((), (EAST, 4490), (odd, peer(3)), lambda each: each.parameter(PUBLIC_KEY))
        async with running(discovery.run()):
            await asyncio.sleep(0.05)
        return network.sent

    assert {each.address for each in asyncio.run(story())} == {peer(3).private_ip}


def test_agents_of_two_members_find_each_other_and_say_how() -> None:
    async def story() -> None:
        network, broker = FakeNetwork(aliases={PUBLIC: ip_address("172.16.2.10")}), FakeAPI()
        network.unreachable = {ip_address("172.16.2.10")}
        east, west = (
            FakeCluster(
                number, name, driver=WireGuardCables(KEYS[number].public), key=KEYS[number], sockets=network.open
            )
            for number, name in ((1, "east"), (2, "west"))
        )
        await east.add_nodes(1)
        await west.add_nodes(1)
        said = {"metadata": {"annotations": {PREFIX + "public-ip": f"ipv4:{PUBLIC}", PREFIX + "udp-port": "4501"}}}
        await west.api.merge(Resource.NODE, "west-0", "", said)
        with closing(FakeEcho()) as one, closing(FakeEcho()) as two:
            kernel = east.kernel(0)
            async with running(
                east.gateway(0, broker, kernel, one).run(), west.gateway(0, broker, west.kernel(0), two).run()
            ):

                async def found() -> bool:
                    try:
                        listed = (await east.gateway_status())["connections"]
                    except NotFoundError:
                        return False
                    return bool(listed) and listed[0].get("usingIP") == str(PUBLIC) and listed[0]["usingNAT"]

                await eventually(found, "east uses west's public address")
                (connection,) = (await east.gateway_status())["connections"]
                assert "by 192.0.2.11 port 4501, its p" in connection["statusMessage"]
                assert connection["endpoint"]["backend_config"]["natt-discovery-port"] == "4490"
                assert connection["endpoint"]["backend_config"]["udp-port"] == "4501"
                assert {each.endpoint for each in kernel.observe().state.peers} == {(PUBLIC, 4501)}

    asyncio.run(story())


def test_a_name_is_looked_up_again_and_a_failure_changes_nothing() -> None:
    async def story() -> None:
        answers: list[list[IPAddress] | OSError] = [OSError("no such name"), [PUBLIC], [WEST, PUBLIC], [WEST]]

        async def look_up(_name: str) -> list[IPAddress]:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, OSError):
                raise answer
            return answer

        watch = PublicAddressWatch(lambda: None, look_up)
        setting = PublicAddress(name="gw.example.org")
        assert watch.want(setting, 4) is None
        await watch._refresh("gw.example.org")
        assert "gw.example.org cannot be resolved: no such name" in watch.problem
        await watch._refresh("gw.example.org")
        assert (watch.want(setting, 4), watch.problem) == (PUBLIC, "")
        await watch._refresh("gw.example.org")
        assert watch.want(setting, 4) == PUBLIC
        await watch._refresh("gw.example.org")
        assert watch.want(setting, 4) == WEST
        assert watch.want(PublicAddress(address=PUBLIC), 4) == PUBLIC
        assert watch.want(None, 4) is None

    asyncio.run(story())


def test_a_new_key_at_either_end_moves_nothing() -> None:
    """What answered under the old key is where the peer is, until the new one says otherwise."""

    async def story() -> None:
        network = FakeNetwork(aliases={PUBLIC: WEST}, unreachable={WEST})
        renewed = replace(
            peer(2, public_ip=PUBLIC),
            parameters=frozenset({(PUBLIC_KEY, KEYS[3].public), ("natt-discovery-port", "4490")}),
        )
        async with discovering(network, peer(2, public_ip=PUBLIC)) as gateways:
            await gateways.becomes(PUBLIC, "PublicAddress")
            gateways.west = renewed
            gateways.watch()
            assert gateways.way == (PUBLIC, "PublicAddress")

    asyncio.run(story())
