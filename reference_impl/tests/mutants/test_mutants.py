from __future__ import annotations

import math
import re
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from reference_impl.flows import ServiceFlow
from reference_impl.hooks.manifests import agents, cleanup, load, member_access, settings, with_variables
from reference_impl.mutants import (
    VARIABLE,
    Mutant,
    UnknownMutantError,
    data_plane,
    global_addresses,
    load_mutant,
    nodes,
)
from reference_impl.mutants.registry import MUTANTS
from reference_impl.names import CREATED, ENDPOINT_ADDRESS, IMPLEMENTATION, PUBLIC_KEY
from reference_impl.operations import Operation, Verb
from reference_impl.planner.cable import GatewayFacts, plan_cables
from reference_impl.planner.driver_set import DriverSet
from reference_impl.planner.exchange import Side, Write, WriteVerb
from reference_impl.planner.global_rules import global_ruleset
from reference_impl.planner.ledger import Ledger, Settlement
from reference_impl.planner.node import plan_node
from reference_impl.planner.relays import Relays
from reference_impl.planner.skew import AGENT_VERSION, VERSION_SKEW_UNSUPPORTED
from reference_impl.planner.translation import Door, Translation
from reference_impl.planner.vxlan import VXLANCables
from reference_impl.planner.wireguard import WireGuardCables
from reference_impl.protocols.election import Ground
from reference_impl.protocols.policy import CONFLICTED, Decision
from reference_impl.state import Guard, KernelState, Link, Route, Rule, Ruleset, WireGuardLink
from reference_impl.tests.planner.facts import NODES, OWN, REMOTE_V6, addresses_of, endpoint, node_facts
from reference_impl.tests.planner.global_facts import POOL
from reference_impl.tests.planner.test_wireguard import key
from reference_impl.version import VERSION

if TYPE_CHECKING:
    from reference_impl.protocols.mirror import Mirror

CATALOGUE = yaml.safe_load((Path(__file__).parents[2] / "mutants" / "catalogue.yaml").read_text())
ROOT = Path(__file__).parents[3]
TRIED = {
    row
    for file in (ROOT / "scenarios").glob("test_*.py")
    for row in re.findall(r'(?:verifies\(|over_ipv6=)"(.*?)"', file.read_text())
}
"""Rows that have a scenario."""
DEMANDED = {
    row["id"]
    for row in yaml.safe_load((ROOT / "l3conf" / "spec" / "requirements.yaml").read_text())
    if row["level"] == "MUST"
}


DEPARTED = (ip_network("10.250.0.0/16"),)
DEPENDENT = {
    "needs-broker",
    "pods-disturb-routes",
    "crash-on-malformed",
    "endpoint-published-once",
    "endpoints-confused",
    "first-key-kept",
    "nodes-disturb-routes",
    "nodes-known-at-first",
    "noisy-served-first",
    "settings-never-taken-back",
    "silence-believed",
    "skew-cuts",
    "skew-unsaid",
    "stops-at-gone",
    "unknown-fields-erased",
    "unreadable-is-empty",
    "carriers-rolled-out",
    "upgrade-half-done",
    "watch-trusted",
    "way-back-through-removal",
}
"""Mutants that change nothing of what stands here; each has a test of its own."""


def _kernel_plans() -> list[KernelState]:
    peers = (endpoint(2), endpoint(3, subnets=(ip_network("172.16.3.0/24"),)))
    cables = GatewayFacts(own=OWN, underlay=NODES[0].underlay, peers=peers, addresses=addresses_of(0))
    elsewhere = [
        plan_node(node_facts(1, guards=(Guard(family="ip", table="filter", chain="FORWARD"),))),
        plan_node(node_facts(1, known=REMOTE_V6, reachable=REMOTE_V6)),
    ]
    return [
        plan_node(node_facts(0)),
        plan_node(node_facts(1)),
        plan_cables(replace(cables, stands_by=True), DriverSet((VXLANCables(),))),
        plan_cables(cables, DriverSet((VXLANCables(),))),
        *elsewhere,
        _relaying(),
    ]


def _translating() -> KernelState:
    """Return the plan of a gateway that gives a pod and a Service global addresses."""
    pod, other = ip_address("10.1.0.2"), ip_address("10.1.0.3")
    door = Door(address=POOL[5], protocol="udp", port=80, backends=((pod, 8080), (other, 8080)))
    translation = Translation(pool=POOL, hosts={POOL[6]: pod}, doors=(door,), egress={other: (POOL[7],)})
    return KernelState(ruleset=global_ruleset([translation], ("submariner",)))


def _relaying() -> KernelState:
    """Return the plan of a gateway with WireGuard that relays for its two peers."""
    peers = tuple(
        endpoint(number, backend="wireguard", parameters=frozenset({(PUBLIC_KEY, key(number))})) for number in (2, 3)
    )
    facts = GatewayFacts(
        own=OWN,
        underlay=NODES[0].underlay,
        peers=peers,
        addresses=addresses_of(0),
        relays=Relays(between=frozenset({("c2", "c3")})),
    )
    return plan_cables(facts, DriverSet((WireGuardCables(key(1)),)))


def _removals() -> tuple[Operation, ...]:
    plan = plan_node(node_facts(1))
    return tuple(
        Operation(Verb.REMOVE, item)
        for item in (*plan.links, *plan.routes, *plan.rules, *plan.forwarding, plan.ruleset)
        if item
    )


SETTLEMENT = Settlement(
    ledger=Ledger(pool=POOL, held={"one": (3,), "two": (5, 6)}, resting={4: 0}), refused={"three": "nothing is left"}
)
REKEYED = (Operation(Verb.SET, WireGuardLink(name="submariner", port=4500, mtu=1420, public_key="new")),)
CONDITIONS = [
    {"type": "Accepted", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
    {"type": "Connected", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"},
    {"type": "Alive", "status": "Unknown", "reason": "HeartbeatStale", "lastTransitionTime": "2020-01-01T00:00:00Z"},
    {"type": "Other", "status": "False", "reason": "IdentityConflict", "lastTransitionTime": "2020-01-01T00:00:00Z"},
]
FLOWS = [
    ServiceFlow(6, ip_address("10.2.0.7"), 40000, ip_address("10.101.0.9"), 80, ip_address("10.1.0.3"), 8080),
]
ACCESS = member_access("east", held_by="uid")
ENCRYPTED = {"cable-driver": "wireguard"}
STATUS = {
    "connections": [
        {"status": "error", "statusMessage": "no", "endpoint": {"cluster_id": "west", "subnets": ["10.2.0.0/16"]}},
        {"status": "error", "statusMessage": "DriverMismatch: no", "endpoint": {"cluster_id": "south"}},
        {"status": "error", "statusMessage": "OverlappingCIDR: no", "endpoint": {"cluster_id": "north"}},
        {"status": "connected", "statusMessage": "yes", "endpoint": {"cluster_id": "west", "subnets": ["fd10:2::/56"]}},
        {"status": "error", "statusMessage": "IPFamilyMismatch: no", "endpoint": {"cluster_id": "north"}},
        {"status": "connecting", "statusMessage": "SubTunnelDown: one", "endpoint": {"cluster_id": "centre"}},
        {"status": "error", "statusMessage": "AuthenticationFailed: no", "endpoint": {"cluster_id": "far"}},
    ],
    "conditions": CONDITIONS,
}
CONNECTED = {
    "connections": [
        {"status": "connected", "endpoint": {"cluster_id": "west"}, "latencyRTT": {"last": "1ms", "min": "1ms"}}
    ]
}
LATER = {
    "connections": [
        {"status": "connected", "endpoint": {"cluster_id": "west"}, "latencyRTT": {"last": "9ms", "min": "1ms"}}
    ]
}
PAGES = [
    f'submariner_gateway_rx_bytes{{remote_cluster="west"}} {count}\nsubmariner_connections{{status="connected"}} 0.0\n'
    for count in ("1.0", "2.0")
]
PEERS = (endpoint(2, public_ip=ip_address("192.0.2.11"), nat_enabled=True),)
CLAIMED = {"c2": (ip_address("203.0.113.9"), 4490)}
PAGES.append("submariner_gateway_nf_conntrack_entries 1.0\n")
CONFIG = {"agent-version": "1", "cable-drivers": "wireguard:4501,vxlan:4502"}
FORGED = ({"metadata": {"name": "x", "labels": {"submariner-io/clusterID": "c3"}}, "spec": {"cluster_id": "c2"}},)
WRITES = (
    Write(Side.BROKER, WriteVerb.CREATE, {"kind": "Endpoint", "spec": {"backend_config": CONFIG}}),
    Write(Side.MEMBER, WriteVerb.DELETE, {"kind": "Cluster"}),
    Write(Side.MEMBER, WriteVerb.DELETE, {"kind": "Endpoint", "spec": {}}),
    Write(Side.MEMBER, WriteVerb.CREATE, {"kind": "Cluster", "metadata": {"annotations": {CREATED: "2026"}}}),
    Write(Side.BROKER, WriteVerb.CREATE, {"kind": "Cluster", "spec": {"global_cidr": [str(POOL)]}}),
)
APART = Decision(connects=False, reason=CONFLICTED, message="p and q disagree")
NAMED = Decision(connects=True, cable_driver="vxlan")
DECISIONS: tuple[dict[str, Decision], ...] = ({"a": APART, "c2": APART}, {"c2": APART}, {"c2": NAMED}, {})


def _differs(mutant: Mutant) -> bool:
    """Say whether a mutant changes anything of what agents decide."""
    mutant.status(CONNECTED)
    mutant.ways(PEERS, CLAIMED)
    return (
        mutant.report_time(1) != 1
        or mutant.ground(Ground.SILENT) is not Ground.SILENT
        or list(mutant.predecessors(["old"])) != ["old"]
        or any(mutant.kernel(plan) != plan for _ in range(5) for plan in _kernel_plans())
        or mutant.operations(_removals()) != _removals()
        or mutant.kernel(_translating()) != _translating()
        or mutant.settlement(SETTLEMENT) != SETTLEMENT
        or mutant.operations(REKEYED) != REKEYED
        or mutant.ways(PEERS, CLAIMED) != PEERS
        or any(mutant.decisions(each) != each for each in DECISIONS)
        or mutant.status(STATUS) != STATUS
        or mutant.status(CONNECTED) != CONNECTED
        or mutant.status(LATER) != LATER
        or any(mutant.metrics(page) != page for page in PAGES)
        or mutant.conditions(CONDITIONS) != CONDITIONS
        or mutant.writes(WRITES) != WRITES
        or mutant.filled(WRITES) != WRITES
        or mutant.received(FORGED) != FORGED
        or any(mutant.manifests(load(folder)) != load(folder) for folder in ("crds", "broker"))
        or mutant.manifests(ACCESS) != ACCESS
        or mutant.deletions(ACCESS) != ACCESS
        or mutant.stored(ACCESS) != ACCESS
        or mutant.owners([{"kind": "Node"}]) != [{"kind": "Node"}]
        or mutant.handed(FLOWS) != FLOWS
        or mutant.manifests(settings(ENCRYPTED, {})) != settings(ENCRYPTED, {})
        or mutant.expiry(frozenset({"c2"})) != {"c2"}
        or mutant.kernel(plan_node(node_facts(1, departed=DEPARTED))) != plan_node(node_facts(1, departed=DEPARTED))
    )


def test_the_catalogue_lists_every_mutant_once() -> None:
    assert [entry["name"] for entry in CATALOGUE] == list(dict.fromkeys(entry["name"] for entry in CATALOGUE))
    assert {entry["name"] for entry in CATALOGUE} == set(MUTANTS)


def test_every_demanded_row_that_has_a_scenario_has_a_mutant() -> None:
    killed = {row for entry in CATALOGUE for row in entry["kills"]}
    assert killed <= TRIED
    assert killed >= TRIED & DEMANDED


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry["name"])
def test_a_mutant_is_reached_by_its_environment_and_changes_something(entry: dict[str, object]) -> None:
    assert entry["env"] == {VARIABLE: entry["name"]}
    assert str(entry["breaks"]).endswith(".")
    assert entry["name"] in DEPENDENT or _differs(load_mutant({VARIABLE: str(entry["name"])}))


def test_a_gateway_that_needs_its_broker_lets_go_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = _kernel_plans()[3]
    monkeypatch.setattr(data_plane, "BROKER_DIRECTORY", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
        (tmp_path / "server").write_text(f"https://127.0.0.1:{port}\n")
        assert MUTANTS["needs-broker"].kernel(plan) == plan
    assert MUTANTS["needs-broker"].kernel(plan) == KernelState()


def test_an_agent_that_pods_disturb_lets_go_for_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, mutant = _kernel_plans()[2], data_plane.let_go_when_links_change()
    seen = []
    for links in (["eth0"], ["eth0"], ["eth0", "veth2"], ["eth0", "veth2"], ["eth0"]):
        monkeypatch.setattr(socket, "if_nameindex", lambda links=links: list(enumerate(links, 1)))
        seen.append(bool(mutant(plan).routes))
    assert seen == [True, True, False, True, False]


def test_a_gateway_that_knows_the_first_nodes_sends_to_no_other() -> None:
    few, all_of_them = (plan_node(node_facts(0, others=NODES[1:last])) for last in (2, 3))
    mutate = nodes.know_the_first_ones()
    assert mutate(few) == few
    assert {entry.destination for entry in mutate(all_of_them).forwarding} == {NODES[1].underlay}


def test_a_gateway_that_nodes_disturb_lets_go_for_one_look() -> None:
    few, all_of_them = (plan_node(node_facts(0, others=NODES[1:last])) for last in (2, 3))
    mutate = nodes.let_go_when_they_change()
    seen = [bool(mutate(plan).routes) for plan in (few, few, all_of_them, all_of_them, few)]
    assert seen == [True, True, False, True, False]


def test_an_agent_that_trips_over_prefixes_does() -> None:
    obj = {"kind": "Endpoint", "spec": {"subnets": ["0.0.0.0/0"]}}
    with pytest.raises(RuntimeError, match="not expected"):
        MUTANTS["crash-on-malformed"].writes((Write(Side.MEMBER, WriteVerb.CREATE, obj),))


def test_a_gateway_that_is_published_once_stays_where_it_was() -> None:
    old, new = ({"kind": "Endpoint", "metadata": {"name": name}, "spec": {}} for name in ("old", "new"))
    first, *later = (
        Write(Side.BROKER, WriteVerb.CREATE, old),
        Write(Side.BROKER, WriteVerb.REPLACE, old),
        Write(Side.BROKER, WriteVerb.CREATE, new),
        Write(Side.BROKER, WriteVerb.DELETE, old),
    )
    delivered = Write(Side.MEMBER, WriteVerb.CREATE, new)
    mutate = MUTANTS["endpoint-published-once"].writes
    assert mutate((first,)) == (first,)
    assert mutate((*later, delivered)) == (delivered,)


def test_a_key_that_was_published_first_is_kept_by_those_who_were_told() -> None:
    def told(side: Side, key: str) -> Write:
        obj = {"kind": "Endpoint", "metadata": {"name": "x"}, "spec": {"backend_config": {PUBLIC_KEY: key}}}
        return Write(side, WriteVerb.REPLACE, obj)

    mutate = MUTANTS["first-key-kept"].writes
    assert mutate((told(Side.MEMBER, "old"),)) == (told(Side.MEMBER, "old"),)
    later = told(Side.MEMBER, "new"), told(Side.BROKER, "new")
    assert mutate(later) == (told(Side.MEMBER, "old"), told(Side.BROKER, "new"))


def test_without_a_name_nothing_is_changed() -> None:
    assert not _differs(load_mutant({}))


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownMutantError, match="typo"):
        load_mutant({VARIABLE: "typo"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [("residue-device", Link), ("residue-rules", Rule), ("residue-table", Ruleset), ("stale-routes", Route)],
)
def test_a_mutant_of_leftovers_leaves_exactly_its_kind(name: str, kind: type) -> None:
    left = set(_removals()) - set(MUTANTS[name].operations(_removals()))
    assert {type(operation.item) for operation in left} == {kind}


def test_who_counts_addresses_anew_does_so_at_its_start_alone() -> None:
    mutate = global_addresses.count_anew_at_start()
    first = mutate(SETTLEMENT)
    assert first.ledger.held == {"one": (2,), "two": (3, 4)}
    assert mutate(SETTLEMENT) == SETTLEMENT


def test_schemas_of_mutants_remain_schemas() -> None:
    for name in ("crd-accepts-anything", "crd-ignores-host-bits"):
        for crd in MUTANTS[name].manifests(load("crds")):
            for version in crd["spec"]["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                assert schema["type"] == "object"
                assert "x-kubernetes-validations" not in str(schema)


def test_an_upgrade_can_be_half_done() -> None:
    """Gateways run this version, route agents the last one, which does not know what a mutant is."""
    objects = with_variables(agents("vxlan"), {VARIABLE: "upgrade-half-done"})
    half = {obj["metadata"]["name"]: obj for obj in load_mutant({VARIABLE: "upgrade-half-done"}).manifests(objects)}
    gateway, route_agent = (
        half[name]["spec"]["template"]["spec"]["containers"][0]
        for name in ("submariner-gateway", "submariner-routeagent")
    )
    assert gateway["image"].endswith(f":{VERSION}")
    assert not route_agent["image"].endswith(f":{VERSION}")
    assert VARIABLE in {one["name"] for one in gateway["env"]}
    assert VARIABLE not in {one["name"] for one in route_agent["env"]}


def test_carriers_can_be_rolled_out_like_agents() -> None:
    kept = agents("wireguard")
    kept[1]["spec"]["template"]["spec"]["containers"][0]["image"] = "l3conf/reference-impl:0.1.0"
    rolled = load_mutant({VARIABLE: "carriers-rolled-out"}).manifests(kept)
    workloads = [obj for obj in rolled if obj["kind"] == "DaemonSet"]
    assert {obj["spec"]["updateStrategy"]["type"] for obj in workloads} == {"RollingUpdate"}
    images = {obj["spec"]["template"]["spec"]["containers"][0]["image"] for obj in workloads}
    assert images == {f"l3conf/reference-impl:{VERSION}"}


def test_a_way_back_can_begin_with_a_removal() -> None:
    back = load_mutant({VARIABLE: "way-back-through-removal"}).way_back(agents("vxlan"), cleanup("vxlan"))
    assert back == [*cleanup("vxlan"), *agents("vxlan")]


def test_fields_that_are_not_known_can_be_erased() -> None:
    spec = {"cluster_id": "west", "subnets": ["10.2.0.0/16"]}
    write = Write(Side.BROKER, WriteVerb.REPLACE, {"kind": "Endpoint", "spec": {**spec, "later": "1"}})
    (written,) = MUTANTS["unknown-fields-erased"].writes((write,))
    assert written.obj == {"kind": "Endpoint", "spec": spec}


def test_versions_that_do_not_go_together_can_be_cut_or_kept_quiet() -> None:
    stranger, fellow = (
        {"spec": {"cluster_id": name, "backend_config": {AGENT_VERSION: f"{IMPLEMENTATION}/{version}"}}}
        for name, version in (("west", "99.0.0"), ("north", VERSION))
    )
    assert MUTANTS["skew-cuts"].received((stranger, fellow)) == (fellow,)
    said = {"type": "Accepted", "status": "True", "reason": VERSION_SKEW_UNSUPPORTED, "message": "99 there"}
    (kept,) = MUTANTS["skew-unsaid"].conditions([said])
    assert VERSION_SKEW_UNSUPPORTED not in kept.values()


def test_apis_in_trouble_can_be_believed() -> None:
    """Four ways to take a watch for more than it is; what each is asked is what `Mirror` answers otherwise."""

    def listed(name: str) -> Mirror:
        mirror = load_mutant({VARIABLE: name}).mirror()
        mirror.list_arrived({"a": {"metadata": {"name": "a", "resourceVersion": "7"}}}, "7")
        return mirror

    old = {"metadata": {"name": "a", "resourceVersion": "3"}}
    assert not listed("").event_arrived("MODIFIED", "a", old)
    assert listed("watch-trusted").event_arrived("MODIFIED", "a", old)
    assert listed("silence-believed").relist == math.inf > listed("").relist
    assert listed("stops-at-gone").failed() == math.inf > listed("").failed()
    forgetful = listed("unreadable-is-empty")
    forgetful.failed()
    assert forgetful.items == {}


def test_endpoints_of_a_service_can_be_taken_for_the_first_of_them() -> None:
    mirror = load_mutant({VARIABLE: "endpoints-confused"}).mirror()
    addresses = ["10.0.0.7", "10.0.0.8"]
    for address in addresses:
        item = {
            "metadata": {"name": address, "namespace": "ns", "annotations": {ENDPOINT_ADDRESS: address}},
            "spec": {"serviceRef": {"name": "s"}},
        }
        mirror.event_arrived("ADDED", address, item)
    assert [each["metadata"]["annotations"][ENDPOINT_ADDRESS] for each in mirror.items.values()] == addresses[:1] * 2


def test_the_noisy_can_be_served_before_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    noisy, new = (
        Write(Side.MEMBER, verb, {"metadata": {"name": verb.value}}) for verb in (WriteVerb.REPLACE, WriteVerb.CREATE)
    )
    mutant = MUTANTS["noisy-served-first"]
    for writes in (mutant.writes, mutant.filled):
        assert writes((new,)) == (new,)
        assert writes((noisy, new)) == (noisy,)
        assert writes((new,)) == ()
    now += 6.0
    assert mutant.filled((new,)) == (new,)


def test_settings_can_be_remembered_for_ever() -> None:
    status = MUTANTS["settings-never-taken-back"].status
    first: dict[str, dict[str, dict[str, str]]] = {"localEndpoint": {"backend_config": {"standby-gateways": "east-2"}}}
    assert status(first) == first
    assert status({"localEndpoint": {"backend_config": {"udp-port": "4500"}}}) == {
        "localEndpoint": {"backend_config": {"standby-gateways": "east-2", "udp-port": "4500"}}
    }
