from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf import oracle
from l3conf.errors import LabError
from l3conf.expectations import Traffic, every, icmp, tcp, udp
from l3conf.expectations.reachability import Reachability
from l3conf.labs.fake import Wrong
from l3conf.model.topology import IPFamily
from l3conf.observation import Outcome, Probe, Protocol
from l3conf.oracle import SeenAs, Via

if TYPE_CHECKING:
    from l3conf.expectations import Pod
    from l3conf.tests.suite.conftest import Stage

V4 = IPFamily.IPV4


def pair(stage: Stage) -> tuple[Pod, Pod]:
    east, west = stage.pods.one_in_each("east", "west")
    return east, west


def test_traffic_that_arrives_satisfies_at_once(stage: Stage) -> None:
    client, server = pair(stage)
    began = stage.motion.now()
    for traffic in (tcp(client, server), udp(client, server), icmp(client, server)):
        traffic.arrives()
    tcp(client, server).arrives(seen_as=client.address(V4))
    assert stage.motion.now() == began


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Wrong.LOST, "timeout"),
        (Wrong.ANSWER_LOST, "timeout"),
        (Wrong.CORRUPTED, "corrupted"),
        (Wrong.REFUSED, "refused"),
        (Wrong.MISDELIVERED, "answered by"),
        (Wrong.NOT_EMITTED, "no route"),
    ],
)
def test_whatever_is_no_delivery_fails_and_says_what_it_was(stage: Stage, wrong: Wrong, words: str) -> None:
    client, server = pair(stage)
    with stage.lab.wrong(wrong), pytest.raises(AssertionError, match=words):
        tcp(client, server).arrives()


def test_a_rewritten_source_fails_only_where_the_source_is_asked_for(stage: Stage) -> None:
    client, server = pair(stage)
    with stage.lab.wrong(Wrong.TRANSLATED):
        tcp(client, server).arrives()
        with pytest.raises(AssertionError, match=f"the server saw .* instead of {client.address(V4)}"):
            tcp(client, server).arrives(seen_as=SeenAs.ITSELF)


def test_a_source_may_be_one_of_several(stage: Stage) -> None:
    client, server = pair(stage)
    own, other = client.address(V4), server.address(V4)
    tcp(client, server).arrives(seen_as=frozenset({own, other}))
    with pytest.raises(AssertionError, match=f"the server saw {own} instead of {other}"):
        tcp(client, server).arrives(seen_as=frozenset({other}))
    with pytest.raises(AssertionError, match="instead of any that is allowed"):
        tcp(client, server).arrives(seen_as=frozenset())
    with pytest.raises(LabError, match="does not know its client's global addresses"):
        tcp(client, server).arrives(seen_as=SeenAs.GLOBAL)


def test_a_service_must_be_answered_by_one_of_its_backends(stage: Stage) -> None:
    client, _ = pair(stage)
    with stage.lab.wrong(Wrong.MISDELIVERED), pytest.raises(AssertionError, match="answered by"):
        tcp(client, stage.services["west"]).arrives()


def test_a_single_lost_packet_is_no_finding(stage: Stage) -> None:
    client, server = pair(stage)
    lost: list[Probe] = []

    def first(probe: Probe) -> bool:
        lost.append(probe)
        return len(lost) == 1

    with stage.lab.wrong(Wrong.LOST, first):
        udp(client, server).arrives()
    assert len(lost) == 2


def test_only_the_flows_that_differ_are_named(stage: Stage) -> None:
    east, west = stage.pods.of("east"), stage.pods.of("west")
    traffic = every(tcp(client, west[0]) for client in east)
    with (
        stage.lab.wrong(Wrong.LOST, lambda probe: probe.source == east[1].place),
        pytest.raises(AssertionError, match="1 of 3 flows differ") as caught,
    ):
        traffic.arrives()
    assert str(east[1]) in str(caught.value)
    assert str(east[2]) not in str(caught.value)


def test_a_failure_says_where_the_path_breaks(stage: Stage) -> None:
    client, server = pair(stage)
    stage.harness.status = lambda cluster: [f"status in {cluster}: connected, it says"]
    across = lambda probe: "l3conf-probes" in probe.source  # noqa: E731 - a predicate
    with stage.lab.wrong(Wrong.LOST, across), pytest.raises(AssertionError) as caught:
        udp(client, server).arrives()
    text = str(caught.value)
    assert "underlay east@east-1 -> west@west-1: delivered" in text
    assert "status in west: connected, it says" in text
    assert "route on east@east-2: via x" in text
    assert f"the first hop that does not answer is: client's cluster: {client} -> east@east-1" in text


def test_a_failing_expectation_ends_within_two_seconds_of_its_budget(stage: Stage) -> None:
    client, server = pair(stage)
    began = stage.motion.now()
    with stage.lab.wrong(Wrong.LOST), pytest.raises(AssertionError):
        udp(client, server).arrives(within="T_recover")
    assert stage.motion.now() - began <= stage.harness.budgets.get("T_recover") + 2


def test_a_budget_can_count_from_an_earlier_moment(stage: Stage) -> None:
    client, server = pair(stage)
    allowed = stage.harness.budgets.get("T_node")
    udp(client, server).arrives(within="T_node", since=stage.motion.now() - allowed + 1)
    with pytest.raises(AssertionError, match="after the deadline"):
        udp(client, server).arrives(within="T_node", since=stage.motion.now() - allowed - 1)


@pytest.mark.parametrize("wrong", [Wrong.HARNESS, Wrong.LOST, Wrong.REFUSED])
def test_a_fault_of_the_harness_is_never_a_failure(stage: Stage, wrong: Wrong) -> None:
    client, server = pair(stage)
    with stage.lab.wrong(wrong), stage.lab.wrong(Wrong.HARNESS), pytest.raises(LabError, match="was not sent"):
        udp(client, server).arrives()


def test_an_expectation_about_no_traffic_is_an_error() -> None:
    with pytest.raises(LabError, match="no traffic at all"):
        Traffic(()).arrives()


def test_a_congestion_mark_that_is_lost_on_the_way_is_told(stage: Stage) -> None:
    client, server = pair(stage)
    marked = every(udp(client, server, traffic_class=mark) for mark in range(4))
    marked.arrives_with_ecn()
    with stage.lab.wrong(Wrong.UNMARKED), pytest.raises(AssertionError, match=r"3 of 4 (?s:.)*sent with ECN 01, .*0"):
        marked.arrives_with_ecn()
    with stage.lab.wrong(Wrong.DEAF), pytest.raises(AssertionError, match="arrived with none"):
        marked.arrives_with_ecn()


def test_a_refusal_is_not_a_timeout(stage: Stage) -> None:
    client, server = pair(stage)
    (seen,) = udp(client, server, port=7199).is_refused()
    assert seen.outcome is Outcome.REFUSED
    with stage.lab.wrong(Wrong.LOST), pytest.raises(AssertionError, match="timeout"):
        udp(client, server, port=7199).is_refused()


def test_every_backend_of_a_service_must_answer(stage: Stage) -> None:
    client, _ = pair(stage)
    service = stage.services["west"]
    tcp(client, service).arrives_everywhere(seen_as=SeenAs.ITSELF)


def test_a_backend_that_never_answers_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = pair(stage)
    service = stage.services["west"]
    choose = stage.lab._random.choice
    monkeypatch.setattr(stage.lab._random, "choice", lambda places: choose(sorted(places)[:2]))
    with pytest.raises(AssertionError, match="backend west/probe-west-3 never answered"):
        tcp(client, service).arrives_everywhere()


def test_the_oracles_table_holds_on_a_conforming_lab(stage: Stage) -> None:
    table = oracle.expected(stage.lab.topology, joined={"east", "west"})
    reachability(stage, table).holds()


def test_cells_that_must_be_silent_are_compared_too(stage: Stage) -> None:
    table = oracle.expected(stage.lab.topology, joined=())
    with pytest.raises(AssertionError, match=r"must not arrive; observed: arrived"):
        reachability(stage, table).holds()


def test_a_difference_names_its_cell(stage: Stage) -> None:
    table = oracle.across_clusters(oracle.expected(stage.lab.topology, joined={"east", "west"}), Via.POD, Protocol.TCP)
    client, server = stage.pods.of("west")[0], stage.pods.of("east")[2]
    broken = lambda probe: probe.source == client.place and probe.destination == server.address(V4)  # noqa: E731
    with (
        stage.lab.wrong(Wrong.LOST, broken),
        pytest.raises(AssertionError, match="1 of 18 cells differ") as caught,
    ):
        reachability(stage, table).holds()
    assert "tcp IPv4 west/west-1 -> east/east-3: arrives, seen as its own address; observed: timeout" in str(
        caught.value
    )


def reachability(stage: Stage, table: oracle.Table) -> Reachability:
    return Reachability(stage.harness, table, {pod.site: pod for pod in stage.pods.all}, stage.services)
