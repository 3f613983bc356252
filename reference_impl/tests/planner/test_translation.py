from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from reference_impl.planner.global_objects import read_egress, read_ingress
from reference_impl.planner.translation import Translation, bindings, read_pods, translate
from reference_impl.tests.planner.global_facts import (
    POOL,
    cluster_egress,
    egress,
    endpoint,
    endpoint_slice,
    host_ingress,
    ingress,
    ledger,
    pod,
    port,
    service,
    service_ingress,
)

if TYPE_CHECKING:
    from reference_impl.planner.ledger import Ledger

Backends = dict[tuple[str, int], list[str]]


def translated(held: Ledger, objects: list[Any], *, gateway: bool = False) -> Translation:
    """Translate whatever objects there are, as the agent does."""
    kinds: dict[str, list[Any]] = {}
    for each in objects:
        kinds.setdefault(each["kind"], []).append(each)
    found, _ = read_ingress(kinds.get("GlobalIngressIP", []))
    calling, _ = read_egress(kinds.get("GlobalEgressIP", []), kinds.get("ClusterGlobalEgressIP", []))
    return translate(
        held,
        ingress=found,
        egress=calling,
        pods=read_pods(kinds.get("Pod", []), POOL.version),
        services=kinds.get("Service", []),
        slices=kinds.get("EndpointSlice", []),
        gateway=(POOL[1], ip_address("10.1.0.1")) if gateway else None,
        inside=[ip_network("10.1.0.0/16")],
        reserved=[ip_network("100.64.9.0/24")],
    )


def doors(found: Translation) -> Backends:
    return {
        (each.protocol, each.port): [f"{address}:{number}" for address, number in each.backends] for each in found.doors
    }


WEB = [service_ingress("web", "web"), service("web", port(80))]
HELD = ledger(GlobalIngressIP_web=(5,))


def test_a_service_leads_to_its_ready_pods_at_their_own_ports() -> None:
    slices = [
        endpoint_slice("web", [port(8080)], endpoint("10.1.0.2"), endpoint("10.1.0.3", ready=False)),
        endpoint_slice("web", [port(9090)], endpoint("10.1.1.2", ready=None), number=2),
        endpoint_slice("other", [port(8080)], endpoint("10.1.0.9")),
    ]
    found = translated(HELD, [*WEB, *slices])
    assert doors(found) == {("tcp", 80): ["10.1.0.2:8080", "10.1.1.2:9090"]}
    assert found.doors[0].address == POOL[5]


def test_each_port_of_a_service_leads_to_the_port_of_its_name_and_protocol() -> None:
    ports = [port(53, "UDP", "dns"), port(53, "TCP", "dns-tcp"), port(9153, name="metrics"), port(1, name="nobody")]
    behind = [
        port(1053, "UDP", "dns"),
        port(2053, "TCP", "dns-tcp"),
        port(9000, "TCP", "metrics"),
        port(7, "UDP", "nobody"),
    ]
    objects = [
        service_ingress("web", "web"),
        service("web", *ports),
        endpoint_slice("web", behind, endpoint("10.1.0.2")),
    ]
    assert doors(translated(HELD, objects)) == {
        ("udp", 53): ["10.1.0.2:1053"],
        ("tcp", 53): ["10.1.0.2:2053"],
        ("tcp", 9153): ["10.1.0.2:9000"],
    }


def test_of_two_ip_versions_the_one_of_the_pool_is_translated() -> None:
    slices = [
        endpoint_slice("web", [port(8080)], endpoint("fd10::2"), family="IPv6"),
        endpoint_slice("web", [port(8080)], endpoint("10.1.0.2"), number=2),
    ]
    two = pod("pod-one", "fd10::7", "10.1.0.7")
    found = translated(
        ledger(GlobalIngressIP_web=(5,), GlobalIngressIP_one=(6,)),
        [*WEB, *slices, ingress("one"), two, pod("v6", "fd10::8")],
    )
    assert doors(found) == {("tcp", 80): ["10.1.0.2:8080"]}
    assert found.hosts == {POOL[6]: ip_address("10.1.0.7")}


def test_a_service_with_nobody_behind_it_without_an_address_or_that_is_not_there_has_no_door() -> None:
    unready = endpoint_slice("web", [port(8080)], endpoint("10.1.0.2", ready=False))
    ready = endpoint_slice("web", [port(8080)], endpoint("10.1.0.2"))
    every_port = endpoint_slice("web", [{"name": "", "port": None}], endpoint("10.1.0.2"))
    assert translated(HELD, [*WEB, unready]).doors == ()
    assert translated(HELD, [*WEB, every_port]).doors == ()
    assert translated(ledger(), [*WEB, ready]).doors == ()
    assert translated(HELD, [WEB[0], ready]).doors == ()


def test_every_address_of_a_service_is_one() -> None:
    objects = [*WEB, service_ingress("again", "web"), endpoint_slice("web", [port(8080)], endpoint("10.1.0.2"))]
    objects[-2]["metadata"]["creationTimestamp"] = "2027-01-01T00:00:00Z"
    found = translated(ledger(GlobalIngressIP_web=(9,), GlobalIngressIP_again=(2,)), objects)
    assert [door.address for door in found.doors] == [POOL[9], POOL[2]]


def test_pods_that_have_ended_share_a_nodes_address_or_have_none_yet_are_nobody() -> None:
    objects = [
        pod("a", "10.1.0.2"),
        pod("b", "10.1.0.3", phase="Succeeded"),
        pod("c", "10.1.0.4", phase="Failed"),
        pod("d", "172.16.1.10", hostNetwork=True),
        pod("e"),
        {**pod("f"), "status": {"podIP": "10.1.0.7"}},
    ]
    assert [each.name[1] for each in read_pods(objects, 4)] == ["a", "f"]


def test_an_address_that_an_ended_pod_had_leads_to_the_pod_that_has_it_now() -> None:
    objects = [ingress("one"), pod("pod-one", "10.1.0.2", phase="Failed"), pod("successor", "10.1.0.2")]
    assert translated(ledger(GlobalIngressIP_one=(5,)), objects).hosts == {}


PODS = [pod("a", "10.1.0.2", labels={"app": "x"}), pod("b", "10.1.0.3", labels={"app": "y"})]
RULES = [
    cluster_egress(),
    egress("whole"),
    egress("some", podSelector={"matchLabels": {"app": "x"}}),
    ingress("own", spec={"podRef": {"name": "a"}}),
    egress("elsewhere", namespace="other", podSelector={}),
]
ADDRESSES = {
    "ClusterGlobalEgressIP_cluster_egress.submariner.io": (2, 3),
    "GlobalEgressIP_whole": (4,),
    "GlobalEgressIP_some": (5,),
    "GlobalIngressIP_own": (6,),
    "GlobalEgressIP_elsewhere": (7,),
}


def calls_as(**held: tuple[int, ...]) -> dict[str, set[str]]:
    """Return as whom the two pods call when these have addresses."""
    found = translated(ledger(**held), [*PODS, *RULES])
    alone = {str(local): {str(known)} for known, local in found.hosts.items()}
    egress_of = {str(local): {*map(str, addresses)} for local, addresses in found.egress.items()}
    assert not alone.keys() & egress_of.keys()
    return {local: (alone | egress_of).get(local, {*map(str, found.cluster)}) for local in ("10.1.0.2", "10.1.0.3")}


def test_the_narrowest_rule_that_has_an_address_decides_as_whom_a_pod_calls() -> None:
    expected = [
        ({"100.64.0.6"}, {"100.64.0.4"}),
        ({"100.64.0.5"}, {"100.64.0.4"}),
        ({"100.64.0.4"}, {"100.64.0.4"}),
        ({"100.64.0.2", "100.64.0.3"}, {"100.64.0.2", "100.64.0.3"}),
        (set(), set()),
    ]
    left = dict(ADDRESSES)
    for one, gone in zip(
        expected,
        ["GlobalIngressIP_own", "GlobalEgressIP_some", "GlobalEgressIP_whole", next(iter(ADDRESSES)), ""],
        strict=True,
    ):
        assert tuple(calls_as(**left).values()) == one
        left.pop(gone, None)


def test_a_rule_without_an_address_yet_leaves_its_pods_to_the_next() -> None:
    held = {
        name: offsets
        for name, offsets in ADDRESSES.items()
        if name not in ("GlobalIngressIP_own", "GlobalEgressIP_some")
    }
    assert calls_as(**held)["10.1.0.2"] == {"100.64.0.4"}


def test_the_order_of_objects_makes_no_difference() -> None:
    objects = [*PODS, *RULES, *WEB, endpoint_slice("web", [port(8080)], endpoint("10.1.0.3"), endpoint("10.1.0.2"))]
    held = ledger(**ADDRESSES, GlobalIngressIP_web=(9,))
    assert translated(held, objects, gateway=True) == translated(held, objects[::-1], gateway=True)


def test_flows_are_bound_to_what_their_ends_are_known_as() -> None:
    objects = [*PODS, *RULES, *WEB, endpoint_slice("web", [port(8080)], endpoint("10.1.0.2"), endpoint("10.1.0.3"))]
    held = ledger(**ADDRESSES, GlobalIngressIP_web=(9,))
    remote = (ip_network("100.65.0.0/24"), ip_network("fd00::/64"))
    bound = bindings(translated(held, objects, gateway=True), held, remote)
    a, b = ip_address("10.1.0.2"), ip_address("10.1.0.3")
    assert bound.remote == {remote[0]}
    assert bound.held == {POOL[offset] for offset in (1, 2, 3, 4, 5, 6, 7, 9)}
    assert bound.callers == {a: {POOL[6]}, b: {POOL[4]}, ip_address("10.1.0.1"): {POOL[1]}}
    assert bound.others == {POOL[2], POOL[3]}
    assert bound.targets == {POOL[9]: {a, b}, POOL[6]: {a}, POOL[1]: {ip_address("10.1.0.1")}}


def test_endpoints_that_are_no_pods_are_reached_while_they_are_ready_and_written_down() -> None:
    """Wherever they are; those outside know no way back, and no other member's address is an endpoint of this one."""
    asked = [("vm", "192.168.7.5"), ("near", "10.1.0.77"), ("down", "192.168.7.6"), ("gone", "192.168.7.7")]
    held = ledger(
        **{f"GlobalIngressIP_{name}": (5 + number,) for number, (name, _) in enumerate([*asked, ("far", "")])}
    )
    written = [
        endpoint("192.168.7.5"),
        endpoint("10.1.0.77"),
        endpoint("192.168.7.6", ready=False),
        endpoint("100.64.9.9"),
    ]
    objects = [host_ingress(name, "db", address) for name, address in [*asked, ("far", "100.64.9.9")]]
    found = translated(held, [*objects, endpoint_slice("db", [port(80)], *written)])
    assert found.hosts == {POOL[5]: ip_address("192.168.7.5"), POOL[6]: ip_address("10.1.0.77")}
    assert found.strangers == {ip_address("192.168.7.5")}
