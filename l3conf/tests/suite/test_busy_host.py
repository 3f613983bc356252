"""A machine that does not let probes come back is no implementation's failure; everything else is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from l3conf.errors import BusyHostError
from l3conf.expectations import udp
from l3conf.labs.fake import Wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.observation import Observation, Probe
    from l3conf.tests.suite.conftest import Stage


@dataclass(slots=True)
class Starved:
    """Probes come back so many seconds after they have ended."""

    stage: Stage
    delay: float

    def probe(self, probes: Sequence[Probe]) -> list[Observation]:
        seen = self.stage.lab.probe(probes)
        self.stage.motion.sleep(self.delay)
        return list(seen)


def _starve(stage: Stage, monkeypatch: pytest.MonkeyPatch, delay: float) -> None:
    starved, lab = Starved(stage, delay), stage.lab

    class Slow:
        probe = staticmethod(starved.probe)

        def __getattr__(self, name: str) -> object:
            return getattr(lab, name)

    monkeypatch.setattr(stage.harness, "lab", Slow())


def test_a_late_answer_is_the_machine_s_if_the_probe_ended_in_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _starve(stage, monkeypatch, 1.5)
    pods = stage.pods.of("east"), stage.pods.of("west")
    with pytest.raises(BusyHostError, match=r"probes came back 1\.50 s later than they ended: .* after the deadline"):
        udp(pods[0][0], pods[1][0]).arrives()


def test_one_that_came_in_time_all_the_same_passes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _starve(stage, monkeypatch, 0.3)
    udp(stage.pods.of("east")[0], stage.pods.of("west")[0]).arrives()


def test_what_does_not_arrive_at_all_fails_however_busy_the_machine(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _starve(stage, monkeypatch, 3.0)
    with stage.lab.wrong(Wrong.LOST), pytest.raises(AssertionError, match="not true within"):
        udp(stage.pods.of("east")[0], stage.pods.of("west")[0]).arrives()


def test_lateness_that_the_machine_does_not_account_for_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _starve(stage, monkeypatch, 2.0)
    allowed = stage.harness.budgets.get("T_node")
    client, server = stage.pods.of("east")[0], stage.pods.of("west")[0]
    with pytest.raises(AssertionError, match="after the deadline"):
        udp(client, server).arrives(within="T_node", since=stage.motion.now() - allowed - 3)
