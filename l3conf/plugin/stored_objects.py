"""Objects of kinds that are served in several versions, and what becomes of them when another one is stored (L3-L6).

A release that changes which version is stored leaves the objects of the one before as they were: they have to be
written again, and ``status.storedVersions`` of the definition says when that is done. The API does not show in which
version an object is stored. So what proves a migration is that the old version can go, and nobody misses anything.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.model.api_faults import APISlow
from l3conf.plugin.definitions import Definition, definitions
from l3conf.plugin.samples import SAMPLE_ID, sample

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from l3conf.plugin.cluster_api import ClusterAPI, Object
    from l3conf.plugin.versioned import VersionedLab

NAMESPACE = "l3conf-stored"
"""The suite's own, in which no implementation looks for objects."""
_OBJECTS = 12
"""Of each kind: enough for a migration to be interrupted between two of them."""
_SLOWLY = 0.3
"""Seconds that each write of them takes meanwhile."""
_TIMES = (1, 2, 4)
"""How many windows a migration runs until it is killed, each time it is tried."""


@dataclass(frozen=True, slots=True)
class StoredObjects:
    """Samples of every kind of a lab that is served in several versions."""

    lab: VersionedLab
    kinds: tuple[Definition, ...] = field(init=False)

    def __post_init__(self) -> None:
        """``AssertionError`` if no kind is served in several versions: then nothing was declared for good reason."""
        found = tuple(one for api in self.lab.every_api for one in definitions(api))
        assert found, "StorageMigration is declared, and no kind is served in several versions"  # noqa: S101
        object.__setattr__(self, "kinds", found)

    def respelt(self) -> list[str]:
        """Write an object at each version, write what is read at another there, and return what differs afterwards."""
        with self._namespaces():
            return [
                line
                for kind in self.kinds
                for one, other in permutations(kind.versions, 2)
                for line in _round_trip(kind, one, other)
            ]

    @contextmanager
    def in_old_version(self) -> Iterator[OldObjects]:
        """Have samples stored in the oldest version, as the release before left them, while the context is open."""
        with ExitStack() as stack:
            stack.enter_context(self._namespaces())
            for kind in self.kinds:
                stack.enter_context(kind.storing(kind.versions[-1]))
            written = [
                (kind, kind.create(_sample(kind, kind.versions[-1], number)))
                for kind in self.kinds
                for number in range(_OBJECTS)
            ]
            self.lab.run.note(f"{len(written)} objects are stored in old versions")
            yield OldObjects(self.lab, self.kinds, tuple(written))

    @contextmanager
    def _namespaces(self) -> Iterator[None]:
        apis = {kind.api.name: kind.api for kind in self.kinds}.values()
        for api in apis:
            answer = api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": NAMESPACE}})
            if not answer.ok:
                raise LabError(f"namespace {NAMESPACE} was refused: {answer.message}", where=api.name)
        try:
            yield
        finally:
            for api in apis:
                api.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
            self.lab.eventually_none("samples remain", lambda: _still_there(apis), within="T_remove")


@dataclass(frozen=True, slots=True)
class OldObjects:
    """Samples that are stored in old versions until somebody writes them again."""

    lab: VersionedLab
    kinds: tuple[Definition, ...]
    written: tuple[tuple[Definition, Object], ...]

    def migration_interrupted(self, window: str) -> None:
        """Install over it and be killed midway, a few times, each time later, while writing takes its time."""
        seconds = self.lab.harness.budgets.get(window)
        with ExitStack() as slowly:
            for kind in self.kinds:
                fault = APISlow(cluster=kind.api.name, verbs=("update", "patch"), resource=kind.name, seconds=_SLOWLY)
                slowly.enter_context(self.lab.ground.fault(fault))
            for times in _TIMES:
                ended = self.lab.members.begin_to_deploy(times * seconds)
                self.lab.run.note(
                    f"installation {'ended by itself' if ended else 'was killed'} in {times * seconds:g} s"
                )

    def not_migrated(self) -> list[str]:
        """Return what still says that something is stored in another version than the one that is stored now."""
        return [line for kind in self.kinds for line in kind.left_behind()]

    def changed(self) -> list[str]:
        """Return which objects are not what was written, at any version that is served."""
        return [line for kind, obj in self.written for version in kind.served() for line in kind.differs(obj, version)]

    @contextmanager
    def old_versions_gone(self) -> Iterator[None]:
        """Take away every version but the stored one while the context is open; ``AssertionError`` if refused."""
        with ExitStack() as stack:
            for kind in self.kinds:
                stack.enter_context(kind.stored_version_alone())
            self.lab.run.note("old versions are gone")
            yield
        self.lab.run.note("old versions are served again")


def _sample(kind: Definition, version: str, number: int = 0) -> Object:
    """Return an object with every field set. ``LabError`` for a kind of which there is no sample."""
    try:
        obj = sample(kind.kind)
    except KeyError:
        raise LabError(f"there is no sample of {kind.name}", remedy="add one to l3conf/plugin/samples.py") from None
    metadata = {"name": f"{SAMPLE_ID}-{number}", "namespace": NAMESPACE}
    return {**obj, "apiVersion": f"{kind.group}/{version}", "metadata": metadata}


def _still_there(apis: Collection[ClusterAPI]) -> list[str]:
    found = {api.name: api.request("GET", f"/api/v1/namespaces/{NAMESPACE}").ok for api in apis}
    return [f"{name}: namespace {NAMESPACE}" for name, there in found.items() if there]


def _round_trip(kind: Definition, one: str, other: str) -> list[str]:
    """Create an object at one version, write it back unchanged at another, and return how it differs at the first."""
    made = kind.create(_sample(kind, one))
    try:
        path = f"{kind.path(other, NAMESPACE)}/{made['metadata']['name']}"
        answer = kind.api.request("PUT", path, body=kind.api.get(path))
        if not answer.ok:
            return [f"{kind}: what was written at {one} is refused at {other}: {answer.message}"]
        return kind.differs(made, one)
    finally:
        kind.api.request("DELETE", path)
