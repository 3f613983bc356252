"""What takes long and no work: begun when a lab is connected, asked for at the end of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.expectations.flow import Flow
from l3conf.expectations.idle import IdleConnections
from l3conf.expectations.long_silence import LongSilence
from l3conf.labs.base import Capability
from l3conf.observation import Protocol
from l3conf.plugin.mismatch import MismatchWatch
from l3conf.plugin.rights import BrokerRights

if TYPE_CHECKING:
    from l3conf.expectations.wan import WanCapture
    from l3conf.model.topology import IPFamily


@dataclass(slots=True, repr=False)
class PatientLab(BrokerRights):
    """A lab with things under way that somebody will ask for (mark ``patient``)."""

    _idle: dict[IPFamily, IdleConnections] = field(init=False, default_factory=dict)
    _silence: LongSilence | None = field(init=False, default=None)
    _mismatches: MismatchWatch | None = field(init=False, default=None)

    def idle_connections(self, family: IPFamily) -> IdleConnections:
        """Return connections between pods off the gateways that are silent for ``W_idle``; opened once a family."""
        if family not in self._idle:
            seconds = self.harness.budgets.get("W_idle")
            self._idle[family] = IdleConnections(
                self.harness,
                [
                    Flow(client=a, server=b, protocol=Protocol.TCP, family=family, idle=seconds)
                    for a, b in self.pods.workers_across(family)
                ],
            )
        return self._idle[family]

    def begin_idle_connections(self) -> None:
        """Open the connections that somebody will ask for at the end."""
        for family in self.families:
            self.idle_connections(family)

    def begin_mismatches(self) -> None:
        """Begin to watch pairs without a common cable driver; once."""
        if self._mismatches is None:
            self._mismatches = MismatchWatch(self, self.members.joined)

    def mismatches_that_change(self) -> list[str]:
        """Return the pairs without a common cable driver whose status did not stay for ``W_steady`` or longer."""
        self.begin_mismatches()
        watch, self._mismatches = self._mismatches, None
        return watch.changes() if watch is not None else []

    def begin(self, what: str) -> None:
        """Begin what takes long, by the word of the mark ``patient``."""
        beginnings = {
            "idle_connections": self.begin_idle_connections,
            "mismatches": self.begin_mismatches,
            "silence": self.begin_silence,
        }
        beginnings[what]()

    def begin_silence(self) -> None:
        """Begin the silence that somebody will ask for at the end; once."""
        if self._silence is None and Capability.WAN_CAPTURE in self.ground.capabilities:
            self._silence = LongSilence(self.wan, self.harness)

    def long_silence(self) -> WanCapture:
        """Wait until nobody has sent anything between clusters for ``W_mapping``; return the capture of that time."""
        self.begin_silence()
        if self._silence is None:
            raise LabError("this lab captures nothing", where=self.topology.name)
        return self._silence.over()

    def close(self) -> None:
        """End what is still under way, then the lab."""
        if self._silence is not None:
            self._silence.end()
        if self._mismatches is not None:
            self._mismatches.end()
        super(PatientLab, self).close()
