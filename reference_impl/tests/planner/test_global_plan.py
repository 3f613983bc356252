"""What the agent of global addresses plans for both IP versions at once."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from reference_impl.planner.global_objects import read_egress, read_ingress
from reference_impl.planner.global_plan import GlobalFacts, GlobalPlan, plan_global
from reference_impl.planner.global_status import addresses_of
from reference_impl.planner.ledger import Ledger, settle
from reference_impl.protocols.objects import Cluster
from reference_impl.tests.planner.global_facts import (
    POOL,
    cluster_egress,
    egress,
    endpoint,
    endpoint_slice,
    host_ingress,
    ingress,
    pod,
    port,
    service,
    service_ingress,
)

if TYPE_CHECKING:
    from reference_impl.planner.ledger import Settlement

POOL_V6 = ip_network("fd6c:33c0:1::/48")
INGRESS = (
    ingress("one"),
    ingress("missing"),
    service_ingress("web", "web"),
    ingress("bad", {"target": "Nowhere"}),
    host_ingress("vm", "db", "fd10:1::77"),
    host_ingress("far", "db", "fd99::77"),
)
EGRESS, WHOLE = (egress("all"),), (cluster_egress(),)


def plan(*versions: int, nodes: tuple[str, ...] = ("fd10:1::/64",)) -> GlobalPlan:
    pools = {4: POOL, 6: POOL_V6}
    found, bad = read_ingress(INGRESS)
    calling, worse = read_egress(EGRESS, WHOLE)
    settlement: Settlement | None = None
    if 4 in versions:
        settlement = settle(Ledger(pool=POOL), [*(each.claim for each in found), *(each.claim for each in calling)], 0)
    return plan_global(
        GlobalFacts(
            own=Cluster(
                cluster_id="east",
                pod_cidrs=(ip_network("10.1.0.0/16"), ip_network("fd10:1::/56")),
                service_cidrs=(ip_network("10.101.0.0/16"), ip_network("fd11:1::/112")),
                global_cidrs=tuple(pools[version] for version in versions),
            ),
            settlement=settlement,
            ingress=found,
            egress=calling,
            unusable=(*bad, *worse),
            objects=(*INGRESS, *EGRESS, *WHOLE),
            pods=(pod("pod-one", "10.1.0.2", "fd10:1::2"),),
            services=(service("web", port(80), clusterIPs=["10.101.0.5", "fd11:1::5"]),),
            slices=(
                endpoint_slice("web", [port(8080)], endpoint("10.1.0.2")),
                endpoint_slice("web", [port(8080)], endpoint("fd10:1::2"), family="IPv6", number=2),
                endpoint_slice("db", [port(80)], endpoint("fd10:1::77"), endpoint("fd99::77"), family="IPv6"),
            ),
            pod_ranges=tuple(map(ip_network, nodes)),
            gateway={4: ip_address("10.1.0.1"), 6: ip_address("fd10:1::1")},
            remote=(ip_network("100.65.0.0/24"), ip_network("fd6c:33c0:2::/48")),
            devices=("submariner",),
        )
    )


def said(planned: GlobalPlan) -> dict[str, tuple[str, str, int]]:
    """Return condition, reason and number of addresses by name."""
    return {
        each.obj["metadata"]["name"]: (each.condition.status, each.condition.reason, len(each.addresses))
        for each in planned.statuses
    }


def targets(planned: GlobalPlan) -> dict[str, str]:
    """Return what objects say of what they name, by their names."""
    return {each.obj["metadata"]["name"]: each.target.reason for each in planned.statuses if each.target is not None}


def rules(planned: GlobalPlan) -> str:
    return str(planned.kernel.ruleset)


def test_addresses_of_ipv4_are_given_out_one_by_one() -> None:
    planned = plan(4)
    assert said(planned) == {
        "one": ("True", "Success", 1),
        "missing": ("True", "Success", 1),
        "web": ("True", "Success", 1),
        "bad": ("False", "Invalid", 0),
        "vm": ("True", "Success", 1),
        "far": ("True", "Success", 1),
        "all": ("True", "Success", 1),
        "cluster-egress.submariner.io": ("True", "Success", 1),
    }
    assert targets(planned) == {
        "one": "ResolvedRefs",
        "missing": "BackendNotFound",
        "web": "ResolvedRefs",
        "vm": "BackendNotFound",
        "far": "BackendNotFound",
    }
    assert [each.whole for each in planned.bindings] == [False]
    assert "ip6" not in rules(planned)


def test_where_prefixes_are_translated_an_address_follows_from_what_it_stands_for() -> None:
    planned = plan(6)
    assert said(planned) == {
        "one": ("True", "Success", 1),
        "missing": ("False", "TargetMissing", 0),
        "web": ("True", "Success", 1),
        "bad": ("False", "Invalid", 0),
        "vm": ("True", "Success", 1),
        "far": ("False", "TargetMissing", 0),
        "all": ("False", "PrefixTranslated", 0),
        "cluster-egress.submariner.io": ("False", "PrefixTranslated", 0),
    }
    given = [text for each in planned.statuses for text in addresses_of(each).values() if text]
    assert all(ip_address(str(text)) in POOL_V6 for text in given)
    assert [each.whole for each in planned.bindings] == [True]


def test_with_both_versions_both_are_translated_and_objects_hold_addresses_of_ipv4() -> None:
    planned = plan(4, 6)
    assert said(planned) == said(plan(4))
    assert [each.whole for each in planned.bindings] == [True, False]
    assert "dnat ip6 prefix to" in rules(planned)
    assert "dnat ip to" in rules(planned)


@pytest.mark.parametrize(
    "nodes", [("fd10:1:0:1::/64", "fd10:1:1:0::/64"), ("fd10:1::/40",)], ids=["one sum", "too many"]
)
def test_prefixes_that_cannot_be_told_apart_are_a_problem_that_every_object_names(nodes: tuple[str, ...]) -> None:
    planned = plan(6, nodes=nodes)
    assert planned.problem
    assert {reason for _, reason, _ in said(planned).values()} == {"AmbiguousPrefixes", "Invalid"}
    assert "prefix to" not in rules(planned)


def test_prefixes_that_cannot_be_told_apart_leave_ipv4_as_it_is() -> None:
    planned = plan(4, 6, nodes=("fd10:1::/40",))
    assert planned.problem
    assert said(planned) == said(plan(4))
