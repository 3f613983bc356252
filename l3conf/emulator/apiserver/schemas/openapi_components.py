"""``components.schemas`` of one OpenAPI v3 document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas import list_rules, model_source
from l3conf.emulator.apiserver.schemas.builtin import field_schema
from l3conf.emulator.apiserver.schemas.types import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

_OBJECT_META = "V1ObjectMeta"
_IDENTITY = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents.",
}


class Components:
    """Collects the schemas of a group-version, each type once."""

    def __init__(self, group: str, version: str) -> None:
        self.schemas: dict[str, Any] = {}
        self._group = group
        self._version = version

    def add_builtin_kind(self, kind: str, model: str) -> dict[str, str]:
        """Add a built-in kind with all types it needs; return the reference to it."""
        reference = self._add_type(model)
        self._name_kind(self._component(list_rules.go_name(model)), kind)
        return reference

    def add_custom_kind(self, kind: str, schema: Mapping[str, Any]) -> dict[str, str]:
        """Add a custom kind, with the fields that all objects have; return the reference to it."""
        identity = {name: {"type": "string", "description": text} for name, text in _IDENTITY.items()}
        metadata = {"allOf": [self._add_type(_OBJECT_META)], "description": "Standard object's metadata."}
        properties = {**schema.get("properties", {}), **identity, "metadata": metadata}
        name = self._component(kind)
        self.schemas[name] = {**schema, "type": "object", "properties": properties}
        self._name_kind(name, kind)
        return _reference(name)

    def _add_type(self, model: str) -> dict[str, str]:
        struct = list_rules.go_name(model)
        name = self._component(struct)
        if name not in self.schemas:
            made: dict[str, Any] = {"type": "object"}
            self.schemas[name] = made  # before its fields: a type may contain itself
            made.update(self._described(struct, model))
        return _reference(name)

    def _described(self, struct: str, model: str) -> dict[str, Any]:
        docs = model_source.docs(model)
        properties = {}
        for field, ref in fields(model).items():
            schema = field_schema(struct, field, ref, self._add_type)
            if "$ref" in schema:  # OpenAPI 3.0 ignores what stands beside a $ref
                schema = {"allOf": [{"$ref": schema.pop("$ref")}], **schema}
            properties[field] = {**schema, "description": docs.fields.get(field, "")}
        made: dict[str, Any] = {"description": docs.text, "properties": properties}
        if docs.required:
            made["required"] = sorted(docs.required)
        if list_rules.is_atomic_type(struct):
            made["x-kubernetes-map-type"] = "atomic"
        return made

    def _component(self, struct: str) -> str:
        """Return a name such as ``io.k8s.discovery.v1.EndpointSlice``; people see only its last part."""
        family = ".".join(reversed((self._group or "core.k8s.io").split(".")))
        return f"{family}.{self._version}.{struct}"

    def _name_kind(self, component: str, kind: str) -> None:
        identity = {"group": self._group, "version": self._version, "kind": kind}
        self.schemas[component]["x-kubernetes-group-version-kind"] = [identity]


def _reference(component: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{component}"}
