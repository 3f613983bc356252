"""OpenAPI documents that kubectl reads: version 3 per group-version, and the least of version 2.

kubectl explain reads schemas and descriptions; kubectl apply first looks whether the PATCH operation of a kind declares
the query parameter ``fieldValidation`` (else it would validate by itself with version 2), then takes merge keys from
the schemas. Version 2 is only asked for where version 3 leaves something open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas import openapi_paths
from l3conf.emulator.apiserver.schemas.builtin_kinds import model_name
from l3conf.emulator.apiserver.schemas.openapi_components import Components

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INFO_VERSION = "v1.32.0"


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A resource that a document describes."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    subresources: frozenset[str] = frozenset()
    """``status``, ``scale``, ``log``, …"""
    crd_schema: Mapping[str, Any] | None = field(default=None, compare=False)
    """A CRD's ``openAPIV3Schema``; None for built-in kinds, whose schemas are found by themselves."""
    verbs: frozenset[str] = openapi_paths.ALL_VERBS

    @property
    def api_version(self) -> str:
        """Return ``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version


def document(group: str, version: str, resources: Iterable[ServedResource]) -> dict[str, Any]:
    """Return the OpenAPI v3 document of one group-version; of ``resources``, only those in it are described."""
    components = Components(group, version)
    paths: dict[str, Any] = {}
    for resource in resources:
        if (resource.group, resource.version) != (group, version):
            continue
        builtin = model_name(resource.api_version, resource.kind)
        if resource.crd_schema is None and builtin is not None:
            reference = components.add_builtin_kind(resource.kind, builtin)
        else:
            reference = components.add_custom_kind(resource.kind, resource.crd_schema or {})
        paths |= openapi_paths.paths(resource, reference, strategic=resource.crd_schema is None)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": _INFO_VERSION},
        "paths": paths,
        "components": {"schemas": components.schemas},
    }


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the document as the bytes that are served, the same for equal documents."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def document_v2() -> dict[str, Any]:
    """Return the least ``/openapi/v2`` in JSON: no paths, no definitions."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": _INFO_VERSION}, "paths": {}}


def document_v2_protobuf() -> bytes:
    """Return the same as ``openapi.v2.Document`` in protobuf, which is what kubectl's Accept header asks for.

    kubectl cannot read JSON in its place: it would report a broken document. Three fields (gnostic's
    ``OpenAPIv2.proto``) are not worth a protobuf library.
    """
    info = _bytes_field(1, b"Kubernetes") + _bytes_field(2, _INFO_VERSION.encode())
    swagger, paths = _bytes_field(1, b"2.0"), _bytes_field(8, b"")
    return swagger + _bytes_field(2, info) + paths


def _bytes_field(number: int, content: bytes) -> bytes:
    """Return a length-delimited protobuf field; all ours are shorter than 128 bytes, so lengths take one byte."""
    return bytes([number << 3 | 2, len(content)]) + content
