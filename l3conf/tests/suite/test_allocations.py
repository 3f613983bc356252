"""Which global addresses objects hold, and as which of them a pod may be seen."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.plugin.allocations import CLUSTER_EGRESS, Allocations, addresses_of, faults, lacking, matches, unrefused

if TYPE_CHECKING:
    from l3conf.model.topology import IPAddress

POD = {"metadata": {"name": "p", "namespace": "n", "labels": {"app": "a", "tier": "front"}}}


def named(name: str, *held: str, namespace: str = "n", said: str = "True", **spec: object) -> dict[str, Any]:
    condition = {"type": "Allocated", "status": said, "reason": "R", "message": "m"}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
        "status": {"allocatedIPs": list(held), "conditions": [condition]},
    }


def own(address: str, pod: str = "p", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return named("own", address, target="HeadlessServicePod", podRef={"name": pod}, **more)


def those(*texts: str) -> frozenset[IPAddress]:
    return frozenset(map(ip_address, texts))


WHOLE = named(CLUSTER_EGRESS, "100.64.0.1", "100.64.0.2", namespace="")
SPACE = named("space", "100.64.0.3")
SELECTED = named("selected", "100.64.0.4", podSelector={"matchLabels": {"app": "a"}})


@pytest.mark.parametrize(
    ("ingress", "egress", "seen"),
    [
        ([], [], those("100.64.0.1", "100.64.0.2")),
        ([], [SPACE], those("100.64.0.3")),
        ([], [SPACE, SELECTED], those("100.64.0.4")),
        ([own("100.64.0.5")], [SPACE, SELECTED], those("100.64.0.5")),
        ([own("100.64.0.5", pod="q")], [SPACE], those("100.64.0.3")),
        ([own("100.64.0.5", namespace="m")], [SPACE], those("100.64.0.3")),
        ([named("s", "100.64.0.6", target="ClusterIPService", serviceRef={"name": "p"})], [SPACE], those("100.64.0.3")),
        ([], [named("other", "100.64.0.7", namespace="m")], those("100.64.0.1", "100.64.0.2")),
        (
            [],
            [named("nobody", "100.64.0.7", podSelector={"matchLabels": {"app": "b"}})],
            those("100.64.0.1", "100.64.0.2"),
        ),
        ([], [named("all", "100.64.0.8", podSelector={}), SPACE], those("100.64.0.8")),
        ([], [named("used up", podSelector={}), SPACE], those("100.64.0.3")),
        ([], [SPACE, named("more", "100.64.0.9")], those("100.64.0.3", "100.64.0.9")),
    ],
)
def test_a_pod_is_seen_as_the_narrowest_object_says(
    ingress: list[dict[str, Any]], egress: list[dict[str, Any]], seen: frozenset[IPAddress]
) -> None:
    stray = named("another", "100.64.0.99", namespace="")
    assert Allocations(ingress, egress, [stray, WHOLE]).seen_as(POD) == seen


def test_objects_are_found_by_whom_they_are_for() -> None:
    service = named("a", "100.64.0.6", target="ClusterIPService", serviceRef={"name": "web"})
    pods = [
        named(pod, f"100.64.1.{number}", target="HeadlessServicePod", serviceRef={"name": "db"}, podRef={"name": pod})
        for number, pod in enumerate(("db-0", "db-1"))
    ]
    found = Allocations([service, own("100.64.0.5"), *pods])
    assert found.of_service("n", "web") == [service]
    assert found.of_service("m", "web") == found.of_service("n", "db") == []
    assert found.of_headless("n", "db") == {"db-0": pods[0], "db-1": pods[1]}
    assert found.held["GlobalIngressIP n/a"] == those("100.64.0.6")
    assert len(found.held) == 4


def test_addresses_stand_in_either_field_or_nowhere() -> None:
    assert addresses_of({"status": {"allocatedIP": "100.64.0.1"}}) == those("100.64.0.1")
    assert addresses_of({"status": {"allocatedIP": "", "allocatedIPs": None}}) == frozenset()
    assert addresses_of({}) == frozenset()


def test_an_object_lacks_addresses_or_the_word_for_them() -> None:
    assert lacking(named("g", "100.64.0.1"), 1) == ""
    assert lacking(named("g", "100.64.0.1", said="False"), 2) == "g holds 1 of 2 addresses: R: m"
    assert lacking(named("g", "100.64.0.1", said="Unknown"), 1) == "g does not say Allocated: True"
    assert lacking({"metadata": {"name": "g"}}, 1) == "g holds 0 of 1 addresses"


def test_who_gets_nothing_must_say_so_and_why() -> None:
    assert unrefused(named("g", said="False")) == []
    assert unrefused(named("g", "100.64.0.1", said="False")) == ["g holds 100.64.0.1"]
    assert unrefused(named("g")) == ["g says Allocated: True"]
    silent = {"metadata": {"name": "g"}}
    assert unrefused(silent) == ["g says Allocated: nothing", "g gives no reason", "g gives no message"]


def test_an_address_belongs_to_one_object_of_the_set_and_to_nothing_else() -> None:
    held = {"a": {"x": those("100.64.1.1"), "y": those("100.64.1.1", "100.64.2.9")}, "b": {"z": those("100.64.1.1")}}
    published = {"a": [IPv4Network("100.64.1.0/24")], "b": [IPv4Network("100.64.1.0/24")]}
    found = faults(held, published, {"c": [IPv4Network("100.64.2.8/30"), IPv4Network("10.0.0.0/8")]})
    assert found == [
        "100.64.1.1 is held by a: x and by a: y",
        "100.64.2.9 of a: y is in no global range of a",
        "100.64.2.9 of a: y is also in 100.64.2.8/30 of c",
        "100.64.1.1 is held by a: x and by b: z",
    ]


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({}, "yes"),
        ({"matchLabels": {"app": "a", "tier": "front"}}, "yes"),
        ({"matchLabels": {"app": "a", "zone": "z"}}, "no"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "yes"),
        ({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z"]}]}, "no"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, "no"),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["z"]}]}, "yes"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "yes"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "no"),
        ({"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}, "no"),
    ],
)
def test_selectors_select_as_in_kubernetes(selector: dict[str, Any], selects: str) -> None:
    assert matches(selector, POD["metadata"]["labels"]) is (selects == "yes")  # type: ignore[arg-type]


def test_an_operator_that_kubernetes_lacks_is_no_selector() -> None:
    with pytest.raises(ValueError, match="Gt is no operator"):
        matches({"matchExpressions": [{"key": "app", "operator": "Gt"}]}, {})
