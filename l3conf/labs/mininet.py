"""The lab on Mininet: the emulated lab's node software in hosts, switches and links of Mininet's."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from l3conf.labs.emulated import REQUIRED_COMMANDS, EmulatedLab

if TYPE_CHECKING:
    from collections.abc import Mapping


class MininetLab(EmulatedLab):
    """A running lab on Mininet (``labs.base.Lab``)."""

    kind = "mininet"
    required_commands = MappingProxyType(
        {**REQUIRED_COMMANDS, "mnexec": "mininet", "brctl": "bridge-utils", "ifconfig": "net-tools", "bash": "bash"}
    )
    mininet = True

    def describe(self) -> Mapping[str, str]:
        """Return what the emulated lab says, and Mininet's version."""
        facts = dict(super().describe())
        return {**facts, "version/mininet": facts.pop("mininet")}
