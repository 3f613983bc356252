"""The resources of the API as one cluster serves them: discovery, schema, and what it does with objects."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l3conf.plugin.cluster_api import GROUP, MERGE_PATCH, Object
from l3conf.plugin.samples import PLURALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import Answer, ClusterAPI

_UNKNOWN_FIELD = "l3confUnknownField"
_STATUS: Object = {
    "conditions": [
        {
            "type": "Accepted",
            "status": "True",
            "reason": "Sample",
            "message": "written by a test",
            "lastTransitionTime": "2020-01-01T00:00:00Z",
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Resources:
    """The group ``submariner.io/v1`` of one cluster."""

    api: ClusterAPI

    def verbs(self, kind: str) -> frozenset[str]:
        """Return what discovery says can be done with a kind; ``AssertionError`` if it is not served."""
        try:
            listed = self.api.get(GROUP)["resources"]
        except LookupError:
            raise AssertionError(f"{self.api.name} does not serve submariner.io/v1") from None
        for resource in listed:
            if resource["kind"] == kind and "/" not in resource["name"]:
                return frozenset(resource["verbs"])
        raise AssertionError(f"{self.api.name} serves submariner.io/v1, but no {kind}")

    def schema(self, kind: str) -> dict[str, Any]:
        """Return the OpenAPI v3 schema of a kind; ``AssertionError`` if none is published."""
        paths = self.api.get("/openapi/v3")["paths"]
        entry = paths.get(GROUP.lstrip("/"))
        if entry is None:
            raise AssertionError(f"{self.api.name} publishes no OpenAPI for submariner.io/v1")
        path, _, query = entry["serverRelativeURL"].partition("?")
        arguments = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        for schema in self.api.get(path, **arguments)["components"]["schemas"].values():
            names = {(one["group"], one["kind"]) for one in schema.get("x-kubernetes-group-version-kind", [])}
            if ("submariner.io", kind) in names:
                return dict(schema)
        raise AssertionError(f"{self.api.name} publishes no schema of {kind}")

    def try_to_create(self, obj: Object) -> Answer:
        """Return what the server says to an object without keeping it (server-side dry run)."""
        return self.api.request("POST", self._path(obj["kind"]), body=self._here(obj), dryRun="All")

    def has_both(self, kind: str) -> bool:
        """Say whether a kind has a specification and a status."""
        return {"spec", "status"} <= set(self.schema(kind).get("properties", {}))

    def crossings(self, obj: Object) -> list[str]:
        """Create an object, write spec and status by the wrong and the right door, and return what went wrong.

        ``obj`` has a spec; a condition is what is put into its status.
        """
        path, name = self._path(obj["kind"]), obj["metadata"]["name"]
        answer = self.api.request("POST", path, body={**self._here(obj), "status": _STATUS})
        assert answer.ok, f"{obj['kind']} was refused by {self.api.name}: {answer.message}"  # noqa: S101
        try:
            wrong = ["creating wrote status"] if answer.body.get("status") else []
            put = self.api.request("PUT", f"{path}/{name}/status", body=_changed(answer.body))
            wrong += [] if put.ok else [f"/status was answered {put.status}"]
            now = self.api.get(f"{path}/{name}")
            wrong += ["/status wrote metadata.labels"] if now["metadata"].get("labels") else []
            wrong += ["/status wrote spec"] if now["spec"] != answer.body["spec"] else []
            wrong += ["/status did not write status"] if (now.get("status") or {}) != _STATUS else []
            spec_put = self.api.request("PUT", f"{path}/{name}", body={**now, "status": {}})
            kept = self.api.get(f"{path}/{name}").get("status")
            return wrong + (["writing the object wrote status"] if spec_put.ok and kept != _STATUS else [])
        finally:
            self.api.request("DELETE", f"{path}/{name}")

    def own_objects(self) -> list[Object]:
        """Return the member's own Cluster and Endpoints, as its implementation published them.

        ``AssertionError`` if there is no Cluster or no Endpoint.
        """
        found = {
            kind: [
                {**obj, "kind": kind}
                for obj in self.api.items(f"{GROUP}/{PLURALS[kind]}")
                if obj["spec"].get("cluster_id") == self.api.name
            ]
            for kind in ("Cluster", "Endpoint")
        }
        missing = [kind for kind, objects in found.items() if not objects]
        assert not missing, f"{self.api.name} has published no {' and no '.join(missing)} of its own"  # noqa: S101
        return [obj for objects in found.values() for obj in objects]

    def try_to_patch(self, obj: Object, patch: Object) -> Answer:
        """Return what the server says to a merge patch (RFC 7396) of an object without keeping it (dry run)."""
        metadata = obj["metadata"]
        path = f"{GROUP}/namespaces/{metadata['namespace']}/{PLURALS[obj['kind']]}/{metadata['name']}"
        return self.api.request("PATCH", path, body=patch, content_type=MERGE_PATCH, dryRun="All")

    def round_trip(self, obj: Object) -> Object:
        """Create an object, read it back, delete it, and return what was read. ``AssertionError`` if refused."""
        path, name = self._path(obj["kind"]), obj["metadata"]["name"]
        answer = self.api.request("POST", path, body=self._here(obj))
        assert answer.ok, f"{obj['kind']} was refused by {self.api.name}: {answer.status} {answer.message}"  # noqa: S101
        try:
            return dict(self.api.get(f"{path}/{name}"))
        finally:
            self.api.request("DELETE", f"{path}/{name}")

    def keeps_unknown_fields(self, obj: Object) -> tuple[bool, bool]:
        """Return whether an unknown field survives in a create, and in an update of the object made by it."""
        path, name = self._path(obj["kind"]), obj["metadata"]["name"]
        strange = copy.deepcopy(self._here(obj))
        part = "spec" if "spec" in strange else "status"
        strange[part][_UNKNOWN_FIELD] = "kept?"
        created = self.api.request("POST", path, body=strange)
        assert created.ok, f"{obj['kind']} with an unknown field was refused: {created.message}"  # noqa: S101
        try:
            current = self.api.get(f"{path}/{name}")
            current[part][_UNKNOWN_FIELD] = "kept?"
            updated = self.api.request("PUT", f"{path}/{name}", body=current)
            assert updated.ok, f"an update with an unknown field was refused: {updated.message}"  # noqa: S101
            return _UNKNOWN_FIELD in created.body[part], _UNKNOWN_FIELD in updated.body[part]
        finally:
            self.api.request("DELETE", f"{path}/{name}")

    def _path(self, kind: str) -> str:
        return f"{GROUP}/namespaces/{self.api.namespace}/{PLURALS[kind]}"

    def _here(self, obj: Object) -> Object:
        """Return an object as it is to be made in this cluster: in the suite's own namespace."""
        return {**obj, "metadata": {**obj["metadata"], "namespace": self.api.namespace}}


def _changed(obj: Object) -> Object:
    """Return an object with a new status, and with a label and an empty spec that must not be written along."""
    labels = {"l3conf.io/written": "through-status"}
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}, "spec": {}, "status": _STATUS}


def undescribed(schema: dict[str, Any], value: object, path: str = "") -> Iterator[str]:
    """Yield the fields of a value that a structural schema does not describe with a type."""
    if isinstance(value, dict):
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, item in value.items():
            inner = properties.get(name, extra if isinstance(extra, dict) else None)
            if inner is None:
                yield f"{path}.{name}"
            else:
                yield from undescribed(inner, item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value[:1]:
            yield from undescribed(schema.get("items", {}), item, f"{path}[]")
    elif not schema.get("type") and not schema.get("x-kubernetes-int-or-string"):
        yield path
