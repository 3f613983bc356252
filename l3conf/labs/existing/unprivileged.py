"""What nobody lets a test run do in clusters of his own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from l3conf.errors import LabIncapableError
from l3conf.labs.base import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from l3conf.model.faults import Fault


class Unprivileged:
    """The part of a lab that refuses: each with ``LabIncapableError``, which makes a test ``untestable``."""

    kind = "existing"

    def cut(self, source: str, destination: str) -> AbstractContextManager[None]:
        """Refuse: nothing between clusters is this run's to cut."""
        del source, destination
        self.cannot(Capability.WAN_FAULTS)

    def fault(self, fault: Fault) -> AbstractContextManager[None]:
        """Refuse: other people's clusters are not disturbed."""
        raise LabIncapableError(f"the {self.kind} lab has no faults, and so no {type(fault).__name__}")

    def inject(self, place: str, packets: Sequence[bytes]) -> None:
        """Refuse: probe pods have no right to raw packets."""
        del place, packets
        self.cannot(Capability.RAW_PACKETS)

    def capture(self, where: str) -> AbstractContextManager[Path]:
        """Refuse: what passes between clusters is other people's, too."""
        del where
        self.cannot(Capability.WAN_CAPTURE)

    def node_state(self, cluster: str, node: str) -> Mapping[str, object]:
        """Refuse: reading a node's configuration takes root there."""
        del cluster, node
        self.cannot(Capability.NODE_STATE)

    def run(self, place: str, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        """Refuse: probe pods have nothing to run but the probe server."""
        del place, argv, timeout
        self.cannot(Capability.COMMANDS)

    def cannot(self, capability: Capability) -> NoReturn:
        """Say what would have been needed."""
        remedy = "give --host-network" if capability is Capability.HOSTS else ""
        raise LabIncapableError(f"the {self.kind} lab cannot do: {capability.value}", remedy=remedy)
