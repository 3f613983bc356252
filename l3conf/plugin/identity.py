"""What rows on identity ask of a lab: members with wrong secrets, borrowed names and clones, and who says so.

How each of them is made stands in ``impostors`` and ``clones``, how words are read in ``reasons`` and ``heartbeats``.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.plugin import clones, heartbeats, impostors, reasons
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.membered import MemberedLab
from l3conf.wait import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(slots=True, repr=False)
class IdentityTrials(MemberedLab):
    """A lab whose members can be made to be somebody else."""

    @contextmanager
    def wrong_secret(self, member: str) -> Iterator[None]:
        """Have another key stand at the broker for a member than it has, and the member cut off from there meanwhile.

        Skips the test if it publishes no key.
        """
        with self.without_broker(member):
            with impostors.other_keys_published(self.broker, member, self.run.random("keys"), home=self._home(member)):
                self.run.note(f"wrong secret: {member}")
                yield
            self.run.note(f"right secret: {member}")

    def _home(self, member: str) -> str:
        """Return the namespace of the broker where a member writes; "" if its hook named none."""
        access = self.members.accesses.get(member)
        return access.namespace if access is not None else ""

    @contextmanager
    def borrowed_name(self, writer: str, victim: str) -> Iterator[None]:
        """Have a member's gateway stand at the broker as another's, as if it wrote so, keep the member off."""
        with self.without_broker(writer), impostors.name_borrowed(self.broker, writer, victim, home=self._home(writer)):
            self.run.note(f"borrowed name: {writer} as {victim}")
            yield

    @contextmanager
    def cloned(self, member: str, *, into: str) -> Iterator[float]:
        """Run a copy of a member in a cluster that is none while the context is open; yield since when."""
        made = clones.copy_member(self.apis[member], self.apis[into])
        self.run.note(f"cloned: {member} into {into}, {len(made)} objects")
        try:
            self.harness.wait("the clone runs", lambda: self._runs(into, made), "T_restart")
            yield time.monotonic()
        finally:
            clones.delete(self.apis[into], made)

    def not_named(self, reason: str, *, of: str, by: Sequence[str]) -> list[str]:
        """Return the members, of those named, that do not say this reason of another one."""
        return [
            f"{member} does not say {reason} of {of}"
            for member in by
            if not reasons.is_named(self.apis[member], of, reason)
        ]

    def beats_of(self, member: str) -> dict[str, str]:
        """Return when each Lease at the broker that is named after a member was renewed last, by its name."""
        return heartbeats.beats_of(member, self.broker.items("/apis/coordination.k8s.io/v1/leases"))

    def not_renewed(self, member: str, before: Mapping[str, str]) -> list[str]:
        """Return the Leases of a member at the broker that are as they were."""
        now = self.beats_of(member)
        return [f"{name} was renewed at {time}" for name, time in before.items() if now.get(name) == time]

    def not_seen_as(self, status: str, *, of: str, by: Sequence[str]) -> list[str]:
        """Return the members that say of another one's Cluster no condition of this status (``True`` …)."""
        return [
            f"{member} has no condition {status} of {of}"
            for member in by
            if not heartbeats.said(of, self.apis[member].items(f"{GROUP}/clusters"), status)
        ]

    def seen_as(self, status: str, *, of: str, by: Sequence[str]) -> list[str]:
        """Return the members that say of another one's Cluster a condition of this status."""
        return [
            f"{member} says of {of}: {kind} is {status}"
            for member in by
            for kind in heartbeats.said(of, self.apis[member].items(f"{GROUP}/clusters"), status)
        ]

    def _runs(self, cluster: str, made: list[str]) -> str | Pending:
        lacking = clones.not_ready(self.apis[cluster], clones.namespaces_of(made))
        return Pending(", ".join(lacking)) if lacking else "all pods are Ready"
