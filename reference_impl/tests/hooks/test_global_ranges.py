"""Global ranges at the broker, given out to whoever joins."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reference_impl.drivers.api import ConflictError, Resource
from reference_impl.drivers.fake_api import FakeAPI
from reference_impl.hooks.cluster import HookCluster
from reference_impl.hooks.global_ranges import POOLS, give_back, global_ranges
from reference_impl.hooks.request import Broker, HookError, HookRequest, Member
from reference_impl.names import BROKER_NAMESPACE, GLOBAL_RANGES

if TYPE_CHECKING:
    from reference_impl.drivers.api import Object

EAST = Member(
    name="east", kubeconfig=Path("e"), pod_cidrs=("10.1.0.0/16",), service_cidrs=("10.101.0.0/16",), global_cidrs=()
)
WEST = replace(EAST, name="west")


class Busy(FakeAPI):
    """Somebody else is always faster, a few times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def replace(self, resource: Resource, obj: Object) -> Object:
        if self.times:
            self.times -= 1
            raise ConflictError("has been modified", 409)
        return await super().replace(resource, obj)


def joining(*members: Member, api: FakeAPI | None = None) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """Return the ranges of members that join at the same moment, and the record after that."""
    broker = HookCluster("broker", api or FakeAPI())

    async def story() -> list[tuple[str, ...]]:
        return list(await asyncio.gather(*(global_ranges(request(each, *members), broker) for each in members)))

    return asyncio.run(story()), asyncio.run(recorded(broker))


def request(member: Member, *members: Member) -> HookRequest:
    broker = Broker(kubeconfig=Path("b"), server="", certificate_authority="")
    return HookRequest(broker=broker, members=members or (member,), cluster=member.name, work_directory=Path("w"))


async def recorded(broker: HookCluster) -> dict[str, str]:
    found = await broker.find(Resource.CONFIG_MAP, BROKER_NAMESPACE)
    return {name: text for each in found for name, text in (each.get("data") or {}).items()}


def test_who_wants_none_gets_none_and_leaves_no_trace() -> None:
    assert joining(replace(EAST, global_cidrs=None)) == ([()], {})


def test_who_joins_again_gets_the_same() -> None:
    broker = HookCluster("broker", FakeAPI())

    async def story() -> set[tuple[str, ...]]:
        return {await global_ranges(request(EAST), broker) for _ in range(3)}

    ((text,),) = asyncio.run(story())
    assert ip_network(text).prefixlen == 18


def test_those_who_join_at_once_never_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POOLS[4], "100.64.0.0/24/28")
    members = [replace(EAST, name=f"c{number}") for number in range(16)]
    ranges, known = joining(*members)
    assert {text for (text,) in ranges} == {str(each) for each in ip_network("100.64.0.0/24").subnets(new_prefix=28)}
    assert known == {member.name: text for member, (text,) in zip(members, ranges, strict=True)}


def test_when_all_are_given_out_the_next_is_told_which_variable_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POOLS[4], "100.64.0.0/27/28")
    with pytest.raises(HookError, match=f"no range of /28 is free.*{POOLS[4]}"):
        joining(*(replace(EAST, name=f"c{number}") for number in range(3)))


def test_whoever_was_faster_is_waited_for() -> None:
    api = Busy(3)
    asyncio.run(global_ranges(request(WEST), HookCluster("broker", api)))
    (ranges,), known = joining(EAST, api=api)
    assert (known["east"], api.times) == (ranges[0], 0)


def test_a_record_that_never_stands_still_is_given_up() -> None:
    api = Busy(0)
    asyncio.run(global_ranges(request(WEST), HookCluster("broker", api)))
    api.times = 1000
    with pytest.raises(HookError, match=GLOBAL_RANGES):
        joining(EAST, api=api)


def test_what_members_use_inside_is_nobodys_global_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POOLS[4], "10.0.0.0/8/10")
    (ranges, _), _ = joining(replace(EAST, pod_cidrs=("10.0.0.0/10", "10.64.0.0/16")), replace(WEST, pod_cidrs=()))
    assert not ip_network("10.0.0.0/9").overlaps(ip_network(ranges[0]))


def test_what_a_cluster_at_the_broker_says_counts_but_not_what_the_joining_one_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(POOLS[4], "100.64.0.0/27/28")
    api = FakeAPI()

    def cluster(name: str, field: str, *texts: str) -> Object:
        spec = {"cluster_id": name, field: list(texts)}
        metadata = {"name": name, "namespace": BROKER_NAMESPACE}
        return {"apiVersion": "submariner.io/v1", "kind": "Cluster", "metadata": metadata, "spec": spec}

    async def known() -> None:
        await api.create(Resource.CLUSTER, cluster("far", "service_cidr", "100.64.0.0/28", "nonsense"))
        await api.create(Resource.CLUSTER, cluster("east", "global_cidr", "100.64.0.16/28"))

    asyncio.run(known())
    assert joining(EAST, api=api)[0] == [("100.64.0.16/28",)]


def test_ranges_that_the_caller_names_are_kept_and_a_collision_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    named = [replace(EAST, global_cidrs=("100.64.1.0/24",)), replace(WEST, global_cidrs=("100.64.1.128/25",))]
    ranges, _ = joining(*named)
    assert ranges == [("100.64.1.0/24",), ("100.64.1.128/25",)]
    assert "overlaps" in capsys.readouterr().err


def test_what_was_given_back_is_free_and_giving_back_twice_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POOLS[4], "100.64.0.0/28/28")
    api = FakeAPI()
    broker = HookCluster("broker", api)
    assert joining(EAST, api=api)[0] == [("100.64.0.0/28",)]
    for _ in range(2):
        asyncio.run(give_back(broker, "east"))
    assert joining(WEST, api=api)[1] == {"west": "100.64.0.0/28"}


def test_giving_back_waits_for_whoever_was_faster() -> None:
    api = Busy(0)
    joining(EAST, WEST, api=api)
    api.times = 2
    asyncio.run(give_back(HookCluster("broker", api), "east"))
    assert [*asyncio.run(recorded(HookCluster("broker", api)))] == ["west"]


@pytest.mark.parametrize(
    "text",
    [
        "100.64.0.0",
        "100.64.0.0/10",
        "100.64.0.0/10/",
        "100.64.0.0/10/8",
        "100.64.0.0/10/33",
        "100.64.0.0/10/-1",
        "100.64.0.0/10/30",
        "100.64.0.1/10/18",
        "fd00::/32/64",
        "/18",
        "x/y/z",
    ],
)
def test_a_pool_that_cannot_be_read_or_has_no_room_names_the_variable(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POOLS[4], text)
    with pytest.raises(HookError, match=POOLS[4]):
        joining(EAST)


@pytest.mark.parametrize(
    "text", ["fd00::/64", "fd00::/49", "100.64.0.1/32", "100.64.0.0/29", "100.64.0.1/24", "nonsense"]
)
def test_a_range_that_cannot_be_used_is_refused_when_its_member_joins(text: str) -> None:
    with pytest.raises(HookError, match=f"east: global range {text}"):
        joining(replace(EAST, global_cidrs=(text,)))
