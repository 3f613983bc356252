from __future__ import annotations

import copy
from ipaddress import ip_network

import pytest

from reference_impl.planner.exports import MANAGED, Exports, plan_exports
from reference_impl.planner.global_objects import read_ingress
from reference_impl.tests.planner.global_facts import (
    Object,
    endpoint,
    endpoint_slice,
    export,
    port,
    service,
    service_ingress,
)

HEADLESS = service("db", port(5432), cluster_ip="None")


def behind(*pods: str) -> Object:
    return endpoint_slice("db", [port(5432)], *(endpoint(f"10.1.0.{index}", pod=pod) for index, pod in enumerate(pods)))


def names(objects: tuple[Object, ...]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def conditions(planned: Exports, name: str) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in planned.said[f"uid-ServiceExport-{name}"]}


def test_a_service_gets_one_object_that_goes_with_its_export() -> None:
    planned = plan_exports([export("web")], [service("web", port(80))], [], [])
    (made,) = planned.create
    assert made["spec"] == {"target": "ClusterIPService", "serviceRef": {"name": "web"}}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-ServiceExport-web"
    assert conditions(planned, "web") == {"Valid": ("True", "Valid"), "Ready": ("True", "Exported")}


def test_a_headless_service_gets_one_for_every_ready_pod_once() -> None:
    slices = [
        behind("db-0", "db-1"),
        endpoint_slice("db", [], endpoint("fd10::1", pod="db-0"), family="IPv6", number=2),
        endpoint_slice("db", [], endpoint("10.1.0.9", pod="db-2", ready=False), endpoint("10.1.0.8"), number=3),
        endpoint_slice("other", [], endpoint("10.1.0.7", pod="x")),
    ]
    planned = plan_exports([export("db")], [HEADLESS], slices, [])
    assert names(planned.create) == ["db.db-0", "db.db-1", "4-10-1-0-8.db"]
    assert planned.create[1]["spec"] == {
        "target": "HeadlessServicePod",
        "serviceRef": {"name": "db"},
        "podRef": {"name": "db-1"},
    }


def test_each_ready_endpoint_that_somebody_wrote_down_gets_one_by_its_address() -> None:
    written = [
        endpoint("192.168.7.5"),
        endpoint("192.168.7.6", ready=False),
        endpoint("100.64.9.9"),
        endpoint("127.0.0.1"),
    ]
    slices = [
        endpoint_slice("db", [port(5432)], *written),
        endpoint_slice("db", [port(5432)], endpoint("fd07::5"), family="IPv6", number=2),
    ]
    reserved = [ip_network("100.64.9.0/24")]
    (made,) = plan_exports([export("db")], [HEADLESS], slices, [], reserved=reserved).create
    assert made["spec"] == {"target": "HeadlessServiceEndpoints", "serviceRef": {"name": "db"}}
    assert made["metadata"]["annotations"] == {"submariner.io/headless-svc-endpoints-ip": "192.168.7.5"}
    (over_ipv6,) = plan_exports([export("db")], [HEADLESS], slices, [], version=6).create
    assert names((made, over_ipv6)) == ["4-192-168-7-5.db", "6-fd07-0000-0000-0000-0000-0000-0000-0005.db"]

    there = [{**made, "metadata": {**made["metadata"], "uid": "one"}}]
    kept = plan_exports([export("db")], [HEADLESS], slices, there, reserved=reserved)
    assert (kept.create, kept.delete) == ((), ())
    assert names(plan_exports([export("db")], [HEADLESS], [], there).delete) == ["4-192-168-7-5.db"]
    moved = [{**made, "metadata": {**made["metadata"], "annotations": {}}}]
    assert names(plan_exports([export("db")], [HEADLESS], slices, moved, reserved=reserved).delete) == [
        "4-192-168-7-5.db"
    ]


def test_what_was_made_is_kept_and_can_be_read() -> None:
    exports, services, slices = [export("web"), export("db")], [service("web", port(80)), HEADLESS], [behind("db-0")]
    made = plan_exports(exports, services, slices, []).create
    existing = [{**copy.deepcopy(each), "status": {"allocatedIP": "100.64.0.9"}} for each in made]
    again = plan_exports(exports, services, slices, existing)
    assert (again.create, again.delete) == ((), ())
    with_uids = [{**each, "metadata": {**each["metadata"], "uid": str(index)}} for index, each in enumerate(made)]
    assert read_ingress(with_uids)[1] == ()


def test_what_nothing_asks_for_any_more_is_deleted() -> None:
    made = plan_exports(
        [export("web"), export("db")], [service("web", port(80)), HEADLESS], [behind("db-0", "db-1")], []
    ).create
    planned = plan_exports([export("db")], [HEADLESS], [behind("db-1")], made)
    assert names(planned.delete) == ["db.db-0", "web"]
    assert planned.create == ()


def test_what_must_become_another_one_is_deleted_first_and_made_at_the_next_look() -> None:
    made = plan_exports([export("db")], [service("db", port(80))], [], []).create
    planned = plan_exports([export("db")], [HEADLESS], [behind("db-0")], made)
    assert (names(planned.delete), names(planned.create)) == (["db"], ["db.db-0"])
    changed = [{**made[0], "spec": {"target": "ClusterIPService", "serviceRef": {"name": "x"}}}]
    planned = plan_exports([export("db")], [service("db", port(80))], [], changed)
    assert (names(planned.delete), names(planned.create)) == (["db"], [])


def test_what_somebody_else_made_is_left_alone_and_serves() -> None:
    foreign = service_ingress("web", "web")
    labelled = {**foreign, "metadata": {**foreign["metadata"], "name": "x", "labels": {MANAGED: "argo"}}}
    exported = plan_exports([export("web")], [service("web", port(80))], [], [foreign, labelled])
    assert (exported.create, exported.delete) == ((), ())
    assert plan_exports([], [], [], [foreign, labelled]).delete == ()


@pytest.mark.parametrize(
    ("services", "reason"),
    [([], "NoService"), ([service("web", type="ExternalName", cluster_ip=None)], "InvalidServiceType")],
)
def test_an_export_of_nothing_says_so_and_takes_back_what_was_made(services: list[Object], reason: str) -> None:
    made = plan_exports([export("web")], [service("web", port(80))], [], []).create
    planned = plan_exports([export("web")], services, [], made)
    assert (names(planned.delete), planned.create) == (["web"], ())
    assert conditions(planned, "web") == {"Valid": ("False", reason), "Ready": ("False", "NotExported")}


def test_a_headless_service_without_a_ready_pod_is_valid_and_not_ready() -> None:
    planned = plan_exports([export("db")], [HEADLESS], [], [])
    assert conditions(planned, "db") == {"Valid": ("True", "Valid"), "Ready": ("False", "NotExported")}


def test_names_that_would_be_too_long_stay_apart() -> None:
    pods = ["p" * 250 + str(number) for number in range(2)]
    found = names(plan_exports([export("db")], [HEADLESS], [behind(*pods)], []).create)
    assert len({*found}) == 2
    assert {len(name) for name in found} == {253}


def test_a_pod_whose_name_joins_into_that_of_another_service_does_not_lose_its_address_to_it() -> None:
    services = [HEADLESS, service("db-0", port(80))]
    planned = plan_exports([export("db"), export("db-0")], services, [behind("0")], [])
    assert len({*names(planned.create)}) == 2
    specs = [each["spec"]["target"] for each in planned.create]
    assert sorted(specs) == ["ClusterIPService", "HeadlessServicePod"]
