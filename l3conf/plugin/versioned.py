"""A lab whose members change their version while it runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from l3conf.plugin.agents import find_workloads
from l3conf.plugin.cluster_api import GROUP
from l3conf.plugin.future_fields import known_everywhere, lacking, used_by
from l3conf.plugin.patient import PatientLab
from l3conf.plugin.recorder import UNSUPPORTED
from l3conf.plugin.resources import Resources
from l3conf.plugin.skew import UNHEARD_OF, not_said, posing_as_unheard_of
from l3conf.plugin.stored_objects import StoredObjects
from l3conf.plugin.versions import REPORTING, at_other_versions, still_rolling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from l3conf.plugin.cluster_api import ClusterAPI

BROKER = "broker"


@dataclass(slots=True, repr=False)
class VersionedLab(PatientLab):
    """A lab of which each member, and the broker, can be brought to the next version or back to the last."""

    @property
    def this_version(self) -> str:
        """The version under test."""
        return self.run.implementation.version

    @property
    def last_version(self) -> str:
        """The version before the one under test."""
        return self.run.implementation.previous_versions[0]

    def brought_to(self, version: str, *places: str) -> None:
        """Bring members, or ``broker``, to a version, one after the other, each within ``T_upgrade``.

        There is a member when all its roll-outs have ended and every component reports that version (L3-L7).
        """
        for place in places:
            if place == BROKER:
                self.members.upgrade("", version)
            else:
                self._bring(place, version)

    def _bring(self, cluster: str, version: str) -> None:
        told = self.members.upgrade(cluster, version)
        what = f"{cluster} is not at {version}"
        self.eventually_none(what, lambda: self.not_at(version, cluster), within="T_upgrade", since=told)

    def not_at(self, version: str, *clusters: str) -> list[str]:
        """Return what of these members is not at a version: pods not replaced, components that report another one."""
        return [
            f"{cluster}: {line}"
            for cluster in clusters
            for line in (
                *still_rolling(find_workloads(self.apis[cluster]).values()),
                *self._reporting_others(self.apis[cluster], version),
            )
        ]

    @property
    def stored_objects(self) -> StoredObjects:
        """Samples of every kind that is served in several versions; ``AssertionError`` if there is none."""
        return StoredObjects(self)

    @contextmanager
    def posing_as_unheard_of(self, member: str) -> Iterator[None]:
        """Let a member seem to be of a version that nobody has heard of, while it cannot put that right.

        Skips the test if nothing that it publishes names its version.
        """
        with self.without_broker(member), posing_as_unheard_of(self.broker, member, self.this_version) as count:
            if not count:
                pytest.skip(f"{UNSUPPORTED}nothing that {member} publishes names its version")
            self.run.note(f"{member} seems to be of version {UNHEARD_OF}")
            yield

    def skew_not_said(self, cluster: str, peer: str) -> list[str]:
        """Return a line unless a cluster says that it does not support the version of a peer."""
        return not_said(self.apis[cluster], peer)

    @contextmanager
    def from_the_future(self, member: str) -> Iterator[Callable[[], list[str]]]:
        """Have a member's own objects use a field that only kinds of a later version know, while the context is open.

        Yields a function that returns where it is lacking: on the member's own objects, at the broker, with the others.
        """
        word = self.harness.random.randbytes(8).hex()
        own = Resources(self.apis[member]).own_objects()
        with known_everywhere(self.every_api), used_by(self.apis[member], own, word):
            yield lambda: lacking(self.every_api, member, word)

    @staticmethod
    def _reporting_others(api: ClusterAPI, version: str) -> list[str]:
        """Return what components report besides this version; where none reports, nothing is known to be at it."""
        seen = [obj for kind in REPORTING for obj in api.items(f"{GROUP}/{kind}")]
        return at_other_versions(seen, version) if seen else ["no component reports a version"]
