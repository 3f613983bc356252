"""A stream tells what the path lost from what nobody sent or heard."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from l3conf.errors import LabError
from l3conf.expectations import Stream
from l3conf.labs.fake import Wrong
from l3conf.model.topology import IPFamily

if TYPE_CHECKING:
    from l3conf.observation import Probe
    from l3conf.tests.suite.conftest import Stage

V4 = IPFamily.IPV4


def stream(stage: Stage, rate: float = 100.0) -> Stream:
    """All pairs across clusters, both directions."""
    return Stream(stage.harness, stage.pods.across_clusters(V4), rate=rate, family=V4)


def from_east(probe: Probe) -> bool:
    return probe.source.startswith("east/")


def test_a_path_that_stays_up_loses_nothing(stage: Stage) -> None:
    with stream(stage) as flows:
        stage.motion.sleep(2.0)
        assert flows.lost() == 0
        stage.motion.sleep(1.0)
    assert (flows.lost(), flows.longest_outage(), flows.duplicated(), flows.reordering_extent()) == (0, 0.0, 0, 0)
    flows.loses_nothing()
    flows.duplicates_nothing()
    flows.outage_within("O_rekey")
    assert flows.timeline() == []


@pytest.mark.parametrize("rate", [100.0, 1000.0])
@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
def test_an_outage_is_measured_within_one_period(stage: Stage, seconds: float, rate: float) -> None:
    with stream(stage, rate) as flows:
        stage.motion.sleep(0.123)
        with stage.lab.cut("east", "west"):
            stage.motion.sleep(seconds)
        stage.motion.sleep(0.123)
    assert flows.longest_outage() == pytest.approx(seconds, abs=1 / rate)
    assert flows.lost() == pytest.approx(9 * seconds * rate, abs=9)
    with pytest.raises(AssertionError, match="packets were lost in 9 of 18 flows") as caught:
        flows.loses_nothing()
    assert "east/" in str(caught.value).splitlines()[1]
    with pytest.raises(AssertionError, match="O_rekey = 0 s in 9 of 18"):
        flows.outage_within("O_rekey")
    flows.outage_within("O_failover")
    assert stage.waited[-1].took == flows.longest_outage()
    assert "lost" in repr(flows)


def test_an_outage_can_be_asked_for_while_the_flows_run(stage: Stage) -> None:
    with stream(stage) as flows:
        with stage.lab.cut("west", "east"):
            stage.motion.sleep(0.5)
            assert flows.longest_outage() >= 0.5
        lost = flows.lost()
        stage.motion.sleep(1.0)
        assert flows.lost() == lost > 0


def test_duplicates_and_reordering_are_told_from_loss(stage: Stage) -> None:
    with stream(stage) as flows:
        with stage.lab.wrong(Wrong.DOUBLED, from_east):
            stage.motion.sleep(0.1)
        with stage.lab.wrong(Wrong.OVERTAKEN, from_east):
            stage.motion.sleep(0.05)
        stage.motion.sleep(0.1)
    assert flows.lost() == 0
    assert flows.duplicated() >= 90
    assert 4 <= flows.reordering_extent() <= 6
    flows.loses_nothing()
    with pytest.raises(AssertionError, match="arrived more than once in 9 of 18"):
        flows.duplicates_nothing()


@pytest.mark.parametrize("wrong", [Wrong.LOST, Wrong.DEAD, Wrong.DEAF, Wrong.SILENT, Wrong.OVERFLOWN])
def test_loss_before_anything_changed_is_the_grounds(stage: Stage, wrong: Wrong) -> None:
    with stage.lab.wrong(wrong, from_east), pytest.raises(LabError, match=r"control window.*runs without loss"):
        stream(stage).__enter__()
    assert stage.lab._flows == []


def goes_wrong(stage: Stage, wrong: Wrong) -> None:
    """A second of all being well, and one of something wrong until the end."""
    with ExitStack() as until_the_test_ends, stream(stage):
        stage.motion.sleep(1.0)
        until_the_test_ends.enter_context(stage.lab.wrong(wrong))
        stage.motion.sleep(1.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Wrong.SILENT, "the sender was silent for 1.0"),
        (Wrong.NOT_EMITTED, "the sender's kernel refused packets"),
        (Wrong.OVERFLOWN, "the receiver did not keep up"),
        (Wrong.DEAF, "the receiver is deaf"),
        (Wrong.DEAD, "nothing listens here"),
    ],
)
def test_what_nobody_sent_or_heard_is_an_error_and_no_finding(stage: Stage, wrong: Wrong, words: str) -> None:
    with pytest.raises(LabError, match=words):
        goes_wrong(stage, wrong)


def test_what_the_scenario_raises_is_not_hidden_by_a_broken_lab(stage: Stage) -> None:
    def scenario() -> None:
        with stream(stage):
            stage.lab.wrong(Wrong.OVERFLOWN).__enter__()
            stage.motion.sleep(1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scenario()


def test_a_stream_over_no_pairs_is_an_error(stage: Stage) -> None:
    with pytest.raises(LabError, match="no pair at all"):
        Stream(stage.harness, [], rate=100, family=V4)


def test_the_timeline_is_kept_as_evidence(stage: Stage) -> None:
    kept: dict[str, Any] = {}
    notes: list[str] = []
    stage.harness.keep, stage.harness.note = kept.__setitem__, notes.append
    with stream(stage) as flows:
        stage.motion.sleep(0.5)
        with stage.lab.cut("east", "west"):
            stage.motion.sleep(0.3)
        stage.motion.sleep(0.2)
    lines = json.loads(kept["stream.json"])["flows"]
    drawn, *_ = (row.gaps for row in kept["timeline"].rows if row.gaps)
    assert drawn[0][1] == pytest.approx(0.3, abs=0.01)
    assert sum(line["lost"] for line in lines) == flows.lost()
    (gap,) = next(line["gaps"] for line in lines if line["lost"])
    assert gap["seconds"] == pytest.approx(0.3, abs=0.01)
    assert [note for note in notes if "longest outage 0.3" in note]


def test_a_service_counts_with_all_its_backends(stage: Stage) -> None:
    client, _ = stage.pods.one_in_each("east", "west")
    with Stream(stage.harness, [(client, stage.services["west"])], rate=100, family=V4) as flows:
        stage.motion.sleep(0.5)
    flows.loses_nothing()
