"""Nothing that was not proved may read as proved: every broken harness ends in an error, never in a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError
from l3conf.expectations import Traffic, every, tcp, udp
from l3conf.labs.fake import Wrong
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.expectations import Pod
    from l3conf.observation import Probe
    from l3conf.tests.suite.conftest import Stage

V4 = IPFamily.IPV4


def pods(stage: Stage) -> tuple[Pod, Pod, Pod]:
    """Return a client that must not reach the server, the server, and a client that must."""
    (stranger,) = stage.pods.one_in_each("west")
    server, friend = stage.pods.of("east")[:2]
    stage.lab.joined = set()
    return stranger, server, friend


def expectation(stage: Stage) -> tuple[Traffic, Traffic]:
    stranger, server, friend = pods(stage)
    return udp(stranger, server), udp(friend, server)


def test_silence_is_proved_by_a_control_that_arrives(stage: Stage) -> None:
    forbidden, control = expectation(stage)
    forbidden.must_not_arrive(control=control)


def test_a_forbidden_packet_that_is_answered_fails(stage: Stage) -> None:
    forbidden, control = expectation(stage)
    with stage.lab.wrong(Wrong.ADMITTED), pytest.raises(AssertionError, match="arrived, though it must not"):
        forbidden.must_not_arrive(control=control)


def test_a_forbidden_packet_that_is_only_seen_fails_too(stage: Stage) -> None:
    forbidden, control = expectation(stage)
    mute = lambda probe: "west" in probe.source  # noqa: E731 - a predicate
    with (
        stage.lab.wrong(Wrong.ADMITTED),
        stage.lab.wrong(Wrong.ANSWER_LOST, mute),
        pytest.raises(AssertionError, match=r"arrived at east/l3conf-probes/probe-east-1, from 10\.2\."),
    ):
        forbidden.must_not_arrive(control=control)


@pytest.mark.parametrize("wrong", [Wrong.DEAF, Wrong.DEAD, Wrong.HARNESS, Wrong.LOST])
def test_a_broken_harness_is_an_error_and_never_a_pass(stage: Stage, wrong: Wrong) -> None:
    forbidden, control = expectation(stage)
    with stage.lab.wrong(wrong), pytest.raises(LabError):
        forbidden.must_not_arrive(control=control)


@pytest.mark.parametrize("wrong", [Wrong.DEAF, Wrong.DEAD, Wrong.HARNESS])
def test_a_broken_harness_hides_no_failure_as_one(stage: Stage, wrong: Wrong) -> None:
    forbidden, control = expectation(stage)
    with stage.lab.wrong(Wrong.ADMITTED), stage.lab.wrong(wrong), pytest.raises(LabError):
        forbidden.must_not_arrive(control=control)


def test_a_receiver_that_goes_deaf_in_between_is_noticed(stage: Stage) -> None:
    forbidden, control = expectation(stage)
    sent: list[Probe] = []

    def after_the_first(probe: Probe) -> bool:
        sent.append(probe)
        return len(sent) > 1

    with stage.lab.wrong(Wrong.DEAF, after_the_first), pytest.raises(LabError, match="after"):
        forbidden.must_not_arrive(control=control)


def test_a_sender_that_emits_nothing_proves_nothing(stage: Stage) -> None:
    forbidden, control = expectation(stage)
    with (
        stage.lab.wrong(Wrong.NOT_EMITTED, lambda probe: "west" in probe.source),
        pytest.raises(LabError, match="nothing was emitted"),
    ):
        forbidden.must_not_arrive(control=control)


def test_a_control_that_an_implementation_carries_may_fail_for_its_sake(stage: Stage) -> None:
    stranger, server, _ = pods(stage)
    stage.lab.joined = set()
    other = stage.pods.of("west")[0]
    with pytest.raises(AssertionError, match="nothing can be said, for the control did not arrive either"):
        udp(stranger, server).must_not_arrive(control=udp(other, server))


@pytest.mark.parametrize("elsewhere", ["other receiver", "other protocol"])
def test_a_control_must_cover_every_receiver_and_protocol(stage: Stage, elsewhere: str) -> None:
    stranger, server, friend = pods(stage)
    control = tcp(friend, server) if elsewhere == "other protocol" else udp(server, friend)
    with pytest.raises(LabError, match="no control shows"):
        udp(stranger, server).must_not_arrive(control=control)


def test_a_forged_source_is_judged_by_sightings_alone(stage: Stage) -> None:
    stage.lab.joined = {"east", "west"}
    pairs = stage.pods.across_clusters(V4)
    forged = every(udp(stage.outsider, victim, claiming=claimed.address(V4)) for claimed, victim in pairs)
    honest = every(udp(stage.outsider, pod, claiming=stage.outsider.address(V4)) for pod in stage.pods.all)
    forged.must_not_arrive(control=honest)
    with stage.lab.wrong(Wrong.ADMITTED), pytest.raises(AssertionError, match="arrived, though it must not"):
        forged.must_not_arrive(control=honest)
