"""What the rows on global addresses ask is met by members that do it right, and by none that has a lapse."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError
from l3conf.labs.fake import FakeLab, Wrong
from l3conf.model.topology import IPFamily
from l3conf.observation import Protocol
from l3conf.oracle import Via
from l3conf.plugin.connecting import await_connected
from l3conf.plugin.lab import Lab
from l3conf.plugin.options import topology_file
from l3conf.plugin.silence import Restart
from l3conf.spec.budgets import Budgets
from l3conf.spec.files import load_topology
from l3conf.tests.suite.conftest import SlowMotion
from l3conf.tests.suite.paper_globals import Lapse
from l3conf.tests.suite.paper_lab import paper_lab
from scenarios import test_h2_global_addresses as h2
from scenarios import test_h3_decoys as h3
from scenarios import test_h4_lifecycle as h4
from scenarios import test_h5_exhaustion as h5
from scenarios import test_h6_answers_and_errors as h6
from scenarios import test_h7_egress_selection as h7
from scenarios import test_h8_identity as h8
from scenarios import test_h9_restart as h9

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Scenario = Callable[[Lab], None]

V4 = IPFamily.IPV4
LARGE = {
    "east": IPv4Network("100.64.1.0/24"),
    "west": IPv4Network("100.64.2.0/24"),
    "plain": IPv4Network("100.64.3.0/24"),
}
TINY = {"east": IPv4Network("100.64.1.0/28"), "west": IPv4Network("100.64.2.0/28")}


def kept(lab: Lab) -> None:
    h4.test_an_object_keeps_its_addresses_while_others_come_and_go_and_agents_start_again(lab, Budgets.default())


def to_services(lab: Lab) -> None:
    h2.test_pods_reach_every_backend_by_the_global_address_of_a_service(lab, V4, Protocol.TCP)
    h2.test_pods_reach_every_backend_by_the_global_address_of_a_service(lab, V4, Protocol.UDP)


def as_whom(lab: Lab) -> None:
    h2.test_servers_see_an_address_that_the_objects_of_the_clients_cluster_name(lab, V4)


def at_their_own(lab: Lab) -> None:
    for via in Via:
        h2.test_who_has_no_global_addresses_is_reached_at_its_own_and_nobody_else_is(lab, V4, via)


def decoys(lab: Lab) -> None:
    h3.test_local_pods_with_the_address_of_the_one_that_is_meant_hear_nothing(lab, "west", "east")


def headless(lab: Lab) -> None:
    h2.test_each_pod_behind_an_exported_headless_service_is_reached_by_its_own_address(lab, "east")


def written_down(lab: Lab) -> None:
    h3.test_endpoints_that_somebody_wrote_down_are_no_local_pods_with_the_same_address(lab, "west", "east")


def errors(lab: Lab) -> None:
    h6.test_answers_come_from_the_address_that_was_asked(lab, V4)
    h6.test_a_closed_port_is_reported_as_of_the_global_address(lab, V4)


pods = partial(h2.test_pods_that_ask_for_addresses_of_their_own_are_reached_by_these, family=V4)
unique = h4.test_no_address_is_held_twice_or_lies_outside_of_what_its_cluster_published
rest = h4.test_an_address_that_was_released_is_not_given_to_the_next_who_ask
exhaustion = h5.test_who_asks_for_more_than_is_left_is_told_and_nobody_loses_anything
selection = h7.test_a_pods_own_address_comes_before_a_selectors_before_the_namespaces_before_the_clusters
identity = partial(h8.test_servers_see_each_pod_as_its_own_address_and_reach_it_there, family=V4)
killed = partial(h9.test_killed_agents_neither_move_an_address_nor_lose_a_packet, budgets=Budgets.default())
TWINS, MIXED, TINY_POOLS = "identical-ranges", "partly-overlapping", "tiny-pools"


class Stage:
    """Opens labs of members with lapses."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, topology: str, *lapses: Lapse) -> Lab:
        pools = TINY if topology == TINY_POOLS else LARGE
        return paper_lab(load_topology(topology_file(topology, self._root)), pools, SlowMotion(), *lapses)


@pytest.fixture
def stage(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Stage:
    def restarted(lab: Lab, *clusters: str) -> Restart:
        for cluster in clusters:
            lab.kill_agents(cluster)
        return Restart(reported_after=1.0)

    monkeypatch.setattr(Lab, "restarted", restarted)  # paper members have no Gateways to wait for
    return Stage(pytestconfig.rootpath)


def ground(lab: Lab) -> FakeLab:
    assert isinstance(lab.ground, FakeLab)
    return lab.ground


@pytest.mark.parametrize(
    ("scenario", "topology"),
    [
        *((each, TWINS) for each in (to_services, as_whom, pods, headless, decoys, unique, kept, rest, errors)),
        *((each, TWINS) for each in (selection, identity, killed, written_down)),
        *((each, MIXED) for each in (to_services, as_whom, at_their_own, pods, unique)),
        (exhaustion, TINY_POOLS),
    ],
)
def test_who_does_it_right_passes_and_leaves_nothing_behind(scenario: Scenario, topology: str, stage: Stage) -> None:
    lab = stage(topology)
    lab.global_addresses.services()
    before = lab.global_addresses.held()
    scenario(lab)
    assert lab.global_addresses.held() == before


@pytest.mark.parametrize(
    ("scenario", "topology", "lapse", "words"),
    [
        (to_services, TWINS, Lapse.SWAPPED, "answered by west/l3conf-probes/probe-west-"),
        (to_services, TWINS, Lapse.DEAF, "has 0 GlobalIngressIPs for Service probe"),
        (
            as_whom,
            TWINS,
            Lapse.MASQUERADED,
            "seen as a global address of its cluster; observed: arrived, seen as 172.16",
        ),
        (at_their_own, MIXED, Lapse.MASQUERADED, "seen as a global address"),
        (headless, TWINS, Lapse.DEAF, "none for pod probe-east-1"),
        (written_down, TWINS, Lapse.DEAF, "none for endpoint 10.1.0.2"),
        (written_down, TWINS, Lapse.SWAPPED, "answered by west/|heard by pods"),
        (written_down, TWINS, Lapse.CLINGING, "addresses of the endpoints of l3conf-.* are released"),
        (unique, TWINS, Lapse.TWICE, "is held by"),
        (unique, TWINS, Lapse.BESIDE, "is in no global range of east"),
        (kept, TWINS, Lapse.RESTARTED, "held"),
        (rest, TWINS, Lapse.RESTLESS, r"100\.64\.1\.9"),
        (exhaustion, TINY_POOLS, Lapse.GREEDY, "holds 100.64"),
        (exhaustion, TINY_POOLS, Lapse.SILENT, "says Allocated: nothing"),
        (exhaustion, TINY_POOLS, Lapse.ROBBED, "held"),
        (selection, TWINS, Lapse.BLUNT, "the server saw 100.64.2.1 instead of"),
        (selection, TWINS, Lapse.UNSELECTIVE, "the server saw"),
        (identity, TWINS, Lapse.BLUNT, "the server saw 100.64.2.1 instead of"),
        (killed, TWINS, Lapse.RESTARTED, "lost|held"),
    ],
)
def test_a_lapse_is_found_and_named(scenario: Scenario, topology: str, lapse: Lapse, words: str, stage: Stage) -> None:
    with pytest.raises(AssertionError, match=words):
        scenario(stage(topology, lapse))


@pytest.mark.parametrize(
    ("scenario", "wrong", "words"),
    [
        (decoys, Wrong.DECOYED, "answered by west/l3conf-probes/probe-west-1"),
        (written_down, Wrong.DECOYED, "answered by west/l3conf-probes/probe-west-1"),
        (to_services, Wrong.DECOYED, "answered by west/"),
        (pods, Wrong.LOST, "timeout"),
        (errors, Wrong.LOST, "timeout"),
        (killed, Wrong.LOST, "timeout"),
    ],
)
def test_packets_that_go_astray_are_found(scenario: Scenario, wrong: Wrong, words: str, stage: Stage) -> None:
    lab = stage(TWINS)
    globals_ = {address for held in LARGE.values() for address in held}
    with (
        ground(lab).wrong(wrong, lambda probe: probe.destination in globals_),
        pytest.raises(AssertionError, match=words),
    ):
        scenario(lab)


@pytest.mark.parametrize("topology", [TWINS, MIXED, TINY_POOLS])
def test_a_lab_is_connected_when_global_addresses_are_reached_where_there_are_any(topology: str, stage: Stage) -> None:
    lab = stage(topology)
    await_connected(lab)
    assert {"GlobalIngressIP l3conf-probes/probe"} == {
        name for held in lab.global_addresses.held().values() for name in held if name.endswith("/probe")
    }


@pytest.mark.parametrize(
    ("topology", "lapse", "words"),
    [
        (TWINS, Lapse.DEAF, "has 0 GlobalIngressIPs for Service probe: not true within T_join|T_join = 60 s"),
        (TWINS, Lapse.SWAPPED, "36 cells of reachability: not true within T_join"),
    ],
)
def test_a_lab_whose_global_addresses_lead_nowhere_is_not_connected(
    topology: str, lapse: Lapse, words: str, stage: Stage
) -> None:
    with pytest.raises(AssertionError, match=words):
        await_connected(stage(topology, lapse))


def test_a_decoy_that_hears_nothing_at_all_proves_nothing(stage: Stage) -> None:
    lab = stage(TWINS)
    deaf = lab.pods.of("west")[0].address()
    with (
        ground(lab).wrong(Wrong.LOST, lambda probe: probe.destination == deaf),
        pytest.raises(LabError, match="control"),
    ):
        decoys(lab)


def test_a_copy_that_a_decoy_hears_is_found_though_the_right_one_answers(stage: Stage) -> None:
    lab = stage(TWINS)
    fake = ground(lab)
    deliver = fake._delivery

    def twice(seen: Any, place: str, wrongs: Any) -> Any:  # noqa: ANN401 - passed on
        if place.startswith("east/"):
            deliver(seen, "west/l3conf-probes/probe-west-1", wrongs)
        return deliver(seen, place, wrongs)

    fake._delivery = twice  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match=r"heard by pods that they were not for:\n  west/probe-west-1 at 10.1.0.2"):
        decoys(lab)


def test_pods_without_namesakes_are_no_ground_for_decoys(stage: Stage) -> None:
    with pytest.raises(LabError, match="no pod of plain has the address of one of west"):
        stage(MIXED).pods.namesakes("plain", of="west")


def test_a_pool_that_is_too_large_to_be_used_up_by_one_object_is_no_finding(stage: Stage) -> None:
    with pytest.raises(LabError, match="one object takes 20"), stage(TWINS).global_addresses.too_many("east"):
        pass
