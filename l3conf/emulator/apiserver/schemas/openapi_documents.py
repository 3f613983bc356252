"""OpenAPI v3 documents as they are served: made when somebody asks for one, then kept.

A client first reads the index, which names every document by a hash, and keeps documents on disk under that name. The
hash is one of what a document is made from, so that the index costs no documents; servers in the same process that
serve the same resources share them.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections import OrderedDict
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.schemas.openapi import document, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.apiserver.schemas.openapi import ServedResource

_KEPT = 64
_made: OrderedDict[str, bytes] = OrderedDict()


def index(resources: Iterable[ServedResource]) -> dict[str, Any]:
    """Return ``/openapi/v3``: path (``api/v1``, ``apis/apps/v1``) → URL that names the content's hash."""
    urls = {path: f"/openapi/v3/{path}?hash={_fingerprint(group)}" for path, group in _grouped(resources).items()}
    return {"paths": {path: {"serverRelativeURL": urls[path]} for path in sorted(urls)}}


def body(path: str, resources: Iterable[ServedResource]) -> bytes | None:
    """Return the document at a path of the index; None if nothing is served there."""
    members = _grouped(resources).get(path)
    if not members:
        return None
    name = _fingerprint(members)
    if name not in _made:
        _made[name] = encode(document(members[0].group, members[0].version, members))
    _made.move_to_end(name)
    while len(_made) > _KEPT:
        _made.popitem(last=False)
    return _made[name]


def _grouped(resources: Iterable[ServedResource]) -> dict[str, list[ServedResource]]:
    groups: dict[str, list[ServedResource]] = {}
    for resource in resources:
        path = f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"
        groups.setdefault(path, []).append(resource)
    return groups


def _fingerprint(resources: list[ServedResource]) -> str:
    facts = [_models_version(), *(astuple(resource) for resource in resources)]
    text = json.dumps(facts, sort_keys=True, default=sorted)
    return hashlib.sha256(text.encode()).hexdigest().upper()


@functools.cache
def _models_version() -> str:
    """Return the version of the package that built-in kinds are read from."""
    return importlib.metadata.version("kubernetes")
