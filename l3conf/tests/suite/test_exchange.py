from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from l3conf.model.topology import ClusterSpec, NodeSpec
from l3conf.plugin.exchange import not_learnt, still_known
from l3conf.plugin.gateways import connections, status_lines

WEST = ClusterSpec(
    name="west",
    pod_cidrs=(IPv4Network("10.2.0.0/16"),),
    service_cidrs=(IPv4Network("10.102.0.0/16"),),
    node_cidrs=(IPv4Network("172.16.2.0/24"),),
    nodes=(NodeSpec(name="west-1", gateway=True),),
)


def cluster(**changed: object) -> dict[str, Any]:
    spec: dict[str, object] = {
        "cluster_id": "west",
        "cluster_cidr": ["10.2.0.0/16"],
        "service_cidr": ["10.102.0.0/16"],
        **changed,
    }
    return {"metadata": {"name": "west"}, "spec": spec}


def endpoint(**changed: object) -> dict[str, Any]:
    spec: dict[str, object] = {"cluster_id": "west", "subnets": ["10.102.0.0/16", "10.2.0.0/16"], **changed}
    return {"metadata": {"name": "west-cable"}, "spec": spec}


def test_a_member_that_has_both_objects_has_learnt() -> None:
    assert not_learnt("east", [WEST], [cluster()], [endpoint()]) == []


@pytest.mark.parametrize(
    ("clusters", "endpoints", "words"),
    [
        ([], [endpoint()], "east knows no Cluster west"),
        ([cluster()], [], "east knows no Endpoint of west"),
        ([cluster(cluster_cidr=["10.9.0.0/16"])], [endpoint()], "with pod ranges"),
        ([cluster(service_cidr=["nonsense"])], [endpoint()], "with service ranges"),
        ([cluster()], [endpoint(subnets=["10.2.0.0/16"])], "with subnets"),
        ([cluster()], [endpoint(cluster_id="north")], "east knows no Endpoint of west"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    clusters: list[dict[str, Any]], endpoints: list[dict[str, Any]], words: str
) -> None:
    (line,) = not_learnt("east", [WEST], clusters, endpoints)
    assert words in line


def test_objects_of_a_leaver_are_named_with_their_holder() -> None:
    held = still_known("broker", "west", clusters=[cluster(), cluster(cluster_id="east")], endpoints=[endpoint()])
    assert held == ["broker still has clusters west", "broker still has endpoints west-cable"]


def gateway(ha_status: str, *status: str) -> dict[str, Any]:
    entries = [{"status": one, "statusMessage": "why", "endpoint": {"cluster_id": "west"}} for one in status]
    return {"metadata": {"name": "east-1"}, "status": {"haStatus": ha_status, "connections": entries}}


def test_only_active_gateways_speak_for_their_cluster() -> None:
    found = connections([gateway("active", "connected"), gateway("passive", "error"), {"metadata": {"name": "new"}}])
    assert [(one.peer, one.status) for one in found] == [("west", "connected")]


def test_status_lines_say_so_when_nobody_speaks() -> None:
    assert status_lines("east", [gateway("active", "error")]) == ["status in east: gateway east-1: west error (why)"]
    assert status_lines("east", []) == ["status in east: no active gateway reports a connection"]


@pytest.mark.parametrize(
    ("ranges", "published", "subnets", "missing"),
    [
        (("100.64.2.0/24",), ["100.64.2.0/24"], ["100.64.2.0/24"], []),
        ((), ["242.2.0.0/16"], ["242.2.0.0/16"], []),
        ((), [], [], ["global ranges []"]),
        (("100.64.2.0/24",), ["100.64.3.0/24"], ["100.64.3.0/24"], ["global ranges ['100.64.3.0/24']"]),
        ((), ["242.2.0.0/16"], ["242.2.0.0/16", "10.2.0.0/16"], ["subnets ['242.2.0.0/16', '10.2.0.0/16']"]),
        ((), ["242.2.0.0/16"], ["10.102.0.0/16", "10.2.0.0/16"], ["subnets ['10.102.0.0/16', '10.2.0.0/16']"]),
        (None, ["242.2.0.0/16"], ["10.102.0.0/16", "10.2.0.0/16"], ["global ranges ['242.2.0.0/16']"]),
        (None, [], ["10.102.0.0/16", "10.2.0.0/16"], []),
    ],
)
def test_who_has_global_addresses_is_known_by_these_alone(
    ranges: tuple[str, ...] | None, published: list[str], subnets: list[str], missing: list[str]
) -> None:
    west = replace(WEST, global_cidrs=None if ranges is None else tuple(map(IPv4Network, ranges)))
    found = not_learnt("east", [west], [cluster(global_cidr=published)], [endpoint(subnets=subnets)])
    assert len(found) == len(missing)
    assert all(line.endswith(words) for line, words in zip(found, missing, strict=True))
