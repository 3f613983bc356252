"""CustomResourceDefinitions with several versions, as one cluster serves them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l3conf.errors import LabError
from l3conf.plugin.cluster_api import MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import Answer, ClusterAPI, Object

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

_COMMUNITY = (".k8s.io", ".kubernetes.io")


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of one cluster."""

    api: ClusterAPI
    name: str
    """``<plural>.<group>``."""
    group: str
    plural: str
    kind: str
    namespaced: bool
    versions: tuple[str, ...]
    """Those that are served, in the order of discovery: the best first."""

    def __str__(self) -> str:
        """Return the definition as a message names it."""
        return f"{self.api.name}: {self.name}"

    def path(self, version: str, namespace: str) -> str:
        """Return the path of its objects at a version."""
        where = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"/apis/{self.group}/{version}{where}/{self.plural}"

    def create(self, obj: Object) -> Object:
        """Create an object and return it as the server keeps it; ``AssertionError`` if it is refused."""
        version, namespace = obj["apiVersion"].rpartition("/")[2], obj["metadata"]["namespace"]
        answer = self.api.request("POST", self.path(version, namespace), body=obj)
        assert answer.ok, f"{self} refuses a sample at {version}: {answer.message}"  # noqa: S101
        made: Object = answer.body
        return {**made, "spec": obj["spec"]}

    def differs(self, obj: Object, version: str) -> list[str]:
        """Return how an object, read at a version, differs from what was created; defaults may be added."""
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "")
        answer = self.api.request("GET", f"{self.path(version, namespace)}/{name}")
        if not answer.ok:
            return [f"{self} {name} cannot be read at {version} ({answer.status}): {answer.message}"]
        if answer.body["metadata"]["uid"] != obj["metadata"]["uid"]:
            return [f"{self} {name} is another object at {version}"]
        seen = answer.body.get("spec") or {}
        lost = [field for field, value in obj["spec"].items() if seen.get(field) != value]
        return [f"{self} {name} has not kept spec.{field} at {version}" for field in lost]

    def now(self) -> Object:
        """Return the definition as it is now."""
        found: Object = self.api.get(f"{DEFINITIONS}/{self.name}")
        return found

    def served(self) -> list[str]:
        """Return the versions that are served now."""
        return [version["name"] for version in self.now()["spec"]["versions"] if version["served"]]

    def left_behind(self) -> list[str]:
        """Return a line if anything may be stored in another version than the one that is stored now."""
        now = self.now()
        stored = now["status"]["storedVersions"]
        wanted = [version["name"] for version in now["spec"]["versions"] if version["storage"]]
        return [] if stored == wanted else [f"{self} is stored in {', '.join(stored)}, not in {wanted[0]} alone"]

    @contextmanager
    def storing(self, version: str) -> Iterator[None]:
        """Have another version be stored while the context is open."""
        before = self.now()["spec"]["versions"]
        flagged = [{**each, "storage": each["name"] == version} for each in before]
        if not (answer := self._define(flagged)).ok:
            raise LabError(f"{version} cannot be stored: {answer.message}", where=str(self))
        try:
            yield
        finally:
            self._define(before)

    @contextmanager
    def stored_version_alone(self) -> Iterator[None]:
        """Take away every version but the stored one while the context is open; ``AssertionError`` if refused."""
        before = self.now()["spec"]["versions"]
        answer = self._define([version for version in before if version["storage"]])
        try:
            assert answer.ok, f"{self} cannot do without its old versions: {answer.message}"  # noqa: S101
            yield
        finally:
            self._define(before)

    def _define(self, versions: list[Object]) -> Answer:
        patch = {"spec": {"versions": versions}}
        return self.api.request("PATCH", f"{DEFINITIONS}/{self.name}", body=patch, content_type=MERGE_PATCH)


def definitions(api: ClusterAPI) -> list[Definition]:
    """Return what a cluster defines in several versions that are served.

    Without what belongs to the community: an implementation may bring it, and does not decide what is stored.
    """
    return [
        Definition(
            api=api,
            name=crd["metadata"]["name"],
            group=crd["spec"]["group"],
            plural=crd["spec"]["names"]["plural"],
            kind=crd["spec"]["names"]["kind"],
            namespaced=crd["spec"]["scope"] == "Namespaced",
            versions=versions,
        )
        for crd in api.items(DEFINITIONS)
        if not crd["spec"]["group"].endswith(_COMMUNITY) and len(versions := _in_order(api, crd)) > 1
    ]


def _in_order(api: ClusterAPI, crd: Object) -> tuple[str, ...]:
    served = {version["name"] for version in crd["spec"]["versions"] if version["served"]}
    if len(served) == 1:
        return tuple(served)
    listed = api.get(f"/apis/{crd['spec']['group']}")["versions"]
    return tuple(each["version"] for each in listed if each["version"] in served)
