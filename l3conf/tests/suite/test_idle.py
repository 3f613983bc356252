from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from l3conf.errors import LabError
from l3conf.expectations.flow import Flow
from l3conf.expectations.idle import IdleConnections
from l3conf.labs.fake import Wrong
from l3conf.observation import Protocol

if TYPE_CHECKING:
    from l3conf.tests.suite.conftest import Stage


def connections(stage: Stage) -> IdleConnections:
    client, server = stage.pods.one_in_each("east", "west")
    return IdleConnections(stage.harness, [Flow(client=client, server=server, protocol=Protocol.TCP, idle=150.0)])


def test_connections_that_answer_after_their_silence_are_alive(stage: Stage) -> None:
    connections(stage).still_work()


def test_one_that_does_not_is_named_with_its_silence(stage: Stage) -> None:
    idle = connections(stage)
    with (
        stage.lab.wrong(Wrong.LOST, lambda probe: probe.idle > 0),
        pytest.raises(AssertionError, match=r"1 of 1 connections did not survive 150 s.*\n.*idle for 150 s: timeout"),
    ):
        idle.still_work()


def test_one_that_was_never_opened_is_an_error(stage: Stage) -> None:
    idle = connections(stage)
    with stage.lab.wrong(Wrong.HARNESS), pytest.raises(LabError, match="was not opened"):
        idle.still_work()
    with pytest.raises(LabError, match="no connection at all"):
        IdleConnections(stage.harness, [])
