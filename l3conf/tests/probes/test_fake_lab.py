"""The fake lab conforms, and each of its faults shows as itself and ends with its context."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, ip_address
from itertools import permutations

import pytest

from l3conf.errors import LabError
from l3conf.labs.base import Lab
from l3conf.labs.fake import OUTSIDER, FakeLab, Wrong
from l3conf.model.faults import Cut, Loss
from l3conf.model.topology import ClusterSpec, NodeSpec, Topology
from l3conf.observation import Observation, Outcome, Probe, Protocol


def cluster(name: str, number: int) -> ClusterSpec:
    return ClusterSpec(
        name=name,
        pod_cidrs=(IPv4Network(f"10.{number}.0.0/16"),),
        service_cidrs=(IPv4Network(f"10.{100 + number}.0.0/16"),),
        node_cidrs=(IPv4Network(f"172.16.{number}.0/24"),),
        nodes=(NodeSpec(name=f"{name}-1", gateway=True), NodeSpec(name=f"{name}-2")),
    )


EAST = "east/l3conf-probes/probe-east-1"
WEST = "west/l3conf-probes/probe-west-2"


@pytest.fixture
def lab() -> FakeLab:
    return FakeLab(Topology(name="two", clusters=(cluster("east", 1), cluster("west", 2))))


def across(lab: FakeLab, **fields: object) -> Observation:
    (address,) = lab.hosts[WEST].addresses
    (seen,) = lab.probe([Probe(**{"source": EAST, "destination": address, "port": 7100, **fields})])  # type: ignore[arg-type]
    return seen


def test_it_is_a_lab(lab: FakeLab) -> None:
    assert isinstance(lab, Lab)


def test_all_pods_reach_all_pods_as_themselves(lab: FakeLab) -> None:
    pods = {place: each.addresses[0] for place, each in lab.hosts.items() if each.is_pod}
    for client, server in permutations(pods, 2):
        (seen,) = lab.probe([Probe(source=client, destination=pods[server], port=7100)])
        assert (seen.outcome, seen.seen_as, seen.responder) == (Outcome.DELIVERED, pods[client], server)
        assert [each.source for each in lab.sightings(server, [seen.nonce])] == [pods[client]]


def test_a_service_meets_all_its_backends(lab: FakeLab) -> None:
    (address,) = lab.services["west"]
    seen = lab.probe([Probe(source=EAST, destination=address, port=7100)] * 50)
    assert {each.responder for each in seen} == {"west/l3conf-probes/probe-west-1", WEST}


def test_what_has_not_joined_is_not_reached(lab: FakeLab) -> None:
    lab.joined.remove("west")
    assert across(lab).outcome is Outcome.TIMEOUT
    with lab.wrong(Wrong.ADMITTED):
        assert across(lab).outcome is Outcome.DELIVERED


def test_a_forged_source_of_a_cluster_is_not_seen_unless_admitted(lab: FakeLab) -> None:
    forged = {"source": OUTSIDER, "forged_source": ip_address("10.1.0.2")}
    assert lab.sightings(WEST, [across(lab, **forged).nonce]) == []
    with lab.wrong(Wrong.ADMITTED):
        admitted = across(lab, **forged)
    assert admitted.outcome is Outcome.TIMEOUT
    assert [str(each.source) for each in lab.sightings(WEST, [admitted.nonce])] == ["10.1.0.2"]


@pytest.mark.parametrize(
    ("what", "outcome", "sighted"),
    [
        (Wrong.LOST, Outcome.TIMEOUT, False),
        (Wrong.ANSWER_LOST, Outcome.TIMEOUT, True),
        (Wrong.CORRUPTED, Outcome.CORRUPTED, True),
        (Wrong.TRANSLATED, Outcome.DELIVERED, True),
        (Wrong.MISDELIVERED, Outcome.DELIVERED, False),
        (Wrong.REFUSED, Outcome.REFUSED, False),
        (Wrong.DEAF, Outcome.DELIVERED, False),
        (Wrong.NOT_EMITTED, Outcome.NO_ROUTE, False),
        (Wrong.HARNESS, Outcome.HARNESS_ERROR, False),
    ],
)
def test_each_fault_shows_as_itself_and_ends_with_its_context(
    lab: FakeLab, what: Wrong, outcome: Outcome, *, sighted: bool
) -> None:
    right = across(lab)
    with lab.wrong(what):
        wrong = across(lab)
    assert wrong.outcome is outcome
    assert bool(lab.sightings(WEST, [wrong.nonce])) is sighted
    assert (wrong.outcome, wrong.seen_as, wrong.responder, sighted) != (right.outcome, right.seen_as, WEST, True)
    assert across(lab).outcome is Outcome.DELIVERED


def test_a_dead_receiver_answers_neither_probes_nor_questions(lab: FakeLab) -> None:
    with lab.wrong(Wrong.DEAD):
        assert across(lab).outcome is Outcome.TIMEOUT
        with pytest.raises(LabError, match="listens"):
            lab.sightings(WEST, [])


def test_a_fault_concerns_only_the_probes_it_picks(lab: FakeLab) -> None:
    with lab.wrong(Wrong.LOST, lambda probe: probe.protocol is Protocol.TCP):
        assert across(lab).outcome is Outcome.DELIVERED
        assert across(lab, protocol=Protocol.TCP).outcome is Outcome.TIMEOUT


def test_too_big_is_told_unless_it_is_a_black_hole(lab: FakeLab) -> None:
    big = {"size": 1472, "dont_fragment": True}
    assert (across(lab, **big).outcome, across(lab, **big).mtu) == (Outcome.TOO_BIG, 1450)
    with lab.wrong(Wrong.BLACK_HOLE):
        assert across(lab, **big).outcome is Outcome.TIMEOUT


def test_a_cut_takes_one_direction(lab: FakeLab) -> None:
    with lab.cut("east", "west"):
        there = across(lab)
    with lab.cut("west", "east"):
        back = across(lab)
    assert (there.outcome, back.outcome) == (Outcome.TIMEOUT, Outcome.TIMEOUT)
    assert (lab.sightings(WEST, [there.nonce]), len(lab.sightings(WEST, [back.nonce]))) == ([], 1)


def test_losses_and_cuts_are_faults_of_one_direction_too(lab: FakeLab) -> None:
    with lab.fault(Loss(source="east", destination="west", share=0.5)):
        outcomes = [across(lab).outcome for _ in range(200)]
    assert 50 < outcomes.count(Outcome.TIMEOUT) < 150
    with lab.fault(Cut(source="west", destination="east")):
        there = across(lab)
    assert there.outcome is Outcome.TIMEOUT
    assert len(lab.sightings(WEST, [there.nonce])) == 1
    assert (across(lab).outcome, lab.faults) == (Outcome.DELIVERED, [])


def test_injected_packets_are_on_record_with_their_place(lab: FakeLab) -> None:
    lab.inject(OUTSIDER, [b"one", b"two"])
    assert lab.injected == [(OUTSIDER, b"one"), (OUTSIDER, b"two")]
    with pytest.raises(LabError, match="no such place"):
        lab.inject("nowhere", [b"three"])


def test_a_cluster_with_global_addresses_is_reached_by_these_alone_and_a_decoy_only_if_that_is_asked_for() -> None:
    twins = [replace(cluster("east", 1), global_cidrs=())]
    twins.append(
        replace(twins[0], name="west", node_cidrs=(IPv4Network("172.16.2.0/24"),), nodes=cluster("west", 1).nodes)
    )
    lab = FakeLab(Topology(name="twins", clusters=tuple(twins)))
    (own,) = lab.hosts[WEST].addresses
    decoy = next(name for name, each in lab.hosts.items() if each.cluster == "east" and own in each.addresses)
    at_home, reached = Probe(source=EAST, destination=own, port=7100), ip_address("100.64.0.1")
    abroad = replace(at_home, destination=reached)
    assert lab.probe([at_home])[0].responder == decoy
    assert lab.probe([abroad])[0].outcome is Outcome.TIMEOUT
    lab.translation.places[reached], lab.translation.sources[EAST] = (WEST,), ip_address("100.64.0.2")
    (seen,) = lab.probe([abroad])
    assert (seen.responder, seen.seen_as) == (WEST, ip_address("100.64.0.2"))
    with lab.wrong(Wrong.DECOYED):
        assert lab.probe([abroad])[0].responder == decoy
