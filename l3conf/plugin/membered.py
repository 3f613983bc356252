"""A lab with members, and what it was like before there were any."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin import local_traffic, residue
from l3conf.plugin.disturbed import DisturbedLab
from l3conf.plugin.inventory import installed_objects
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from l3conf.model.topology import IPFamily
    from l3conf.observation import Protocol
    from l3conf.plugin.furnished import Snapshot
    from l3conf.plugin.membership import Membership

_MOST_LINES = 12
"""Lines of a finding that a message shows."""


@dataclass(slots=True, repr=False)
class MemberedLab(DisturbedLab):
    """A lab with members, and with what can be compared with the time before them."""

    members: Membership
    before: Snapshot = field(init=False)
    """As it was before anything of the implementation was installed."""

    def eventually_none(
        self, what: str, look: Callable[[], list[str]], *, within: str, since: float | None = None
    ) -> None:
        """Expect ``look`` to find nothing within a budget, counted from ``since`` (``time.monotonic``) or from now."""

        def condition() -> str | Pending:
            found = look()
            more = f"\n  … and {len(found) - _MOST_LINES} more" if len(found) > _MOST_LINES else ""
            listed = "\n  ".join(found[:_MOST_LINES])
            return Pending(f"{len(found)} found:\n  {listed}{more}") if found else what

        self.harness.wait(what, condition, within, started=since)

    def _others(self, cluster: str) -> list[str]:
        """Return the members besides a cluster; there is at least one as long as any row asks."""
        return [member for member in self.members.joined if member != cluster]

    def changed_on_nodes(self) -> list[str]:
        """Return what differs on any node, documented residue excepted."""
        return residue.of_nodes(self.before.nodes, self.node_states(), self.run.implementation.residue)

    def changed_objects(self) -> list[str]:
        """Return the cluster-wide objects that came or went."""
        return [
            f"{api.name}: {name}"
            for api in self.every_api
            for name in sorted(installed_objects(api) ^ self.before.objects[api.name])
        ]

    def changed_local_traffic(self, family: IPFamily) -> list[str]:
        """Return the local flows of a family that differ."""
        return local_traffic.differences(self.before.local_traffic[family], self.local_traffic(family))

    def must_be_carried_locally(self, protocol: Protocol, family: IPFamily) -> None:
        """Skip the test unless a protocol passed inside every cluster before anything was installed.

        What kernel and network plugin do not carry there no implementation can carry between clusters.
        """
        if (protocol, family) not in self.before.carried:
            pytest.skip(f"{protocol.value} over {family.value} does not pass between pods of one cluster")
