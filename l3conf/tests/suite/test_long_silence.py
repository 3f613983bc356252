"""A silence is as long as its window, however late somebody asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError
from l3conf.expectations import udp
from l3conf.expectations.long_silence import LongSilence
from l3conf.expectations.wan import Wan
from l3conf.labs.fake import Wrong

if TYPE_CHECKING:
    from l3conf.tests.suite.conftest import Stage


def test_what_passes_after_the_window_does_not_count(stage: Stage) -> None:
    client, server = stage.pods.one_in_each("east", "west")
    silence = LongSilence(Wan(stage.harness, stage.outsider), stage.harness)
    began, window = stage.motion.now(), stage.harness.budgets.get("W_mapping")
    stage.motion.sleep(window / 2)
    udp(client, server).arrives()
    during = stage.motion.now()
    capture = silence.over()
    assert stage.motion.now() >= began + window
    stage.motion.sleep(5 * window)
    udp(client, server).arrives()
    passed = capture.between("east", "west")
    assert passed
    assert [packet.time for packet in passed] == pytest.approx([during] * len(passed))
    silence.end()


def test_a_capture_that_went_blind_before_somebody_asks_proves_nothing(stage: Stage) -> None:
    silence = LongSilence(Wan(stage.harness, stage.outsider), stage.harness)
    with stage.lab.wrong(Wrong.BLIND), pytest.raises(LabError, match="the capture is blind"):
        silence.over().between("east", "west")
    silence.end()
