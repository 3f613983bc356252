"""OpenAPI documents that kubectl reads: version 3 per group-version, and the least of version 2."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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


def document(group: str, version: str, resources: Iterable[ServedResource]) -> dict[str, Any]:
    """Return the OpenAPI v3 document of one group-version."""
    del resources
    title = f"{group}/{version}" if group else version
    return {"openapi": "3.0.0", "info": {"title": title, "version": "v1.32.0"}, "paths": {}, "components": {}}


def index(documents: Mapping[str, bytes]) -> dict[str, Any]:
    """Return ``/openapi/v3``: path (``api/v1``, ``apis/apps/v1``) → URL that names the content's hash."""
    return {"paths": {path: {"serverRelativeURL": _url(path, body)} for path, body in sorted(documents.items())}}


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the document as the bytes that are served, the same for equal documents."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def document_v2(resources: Iterable[ServedResource]) -> dict[str, Any]:
    """Return the least ``/openapi/v2`` that keeps kubectl content."""
    del resources
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.32.0"}, "paths": {}, "definitions": {}}


def _url(path: str, body: bytes) -> str:
    return f"/openapi/v3/{path}?hash={hashlib.sha256(body).hexdigest().upper()}"
