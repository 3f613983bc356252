"""Fields of an object that came from a client: of the right kind, of the right type, and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.schemas import builtin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from l3conf.emulator.apiserver.options import WriteOptions
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.cluster_api import Object


def check_fields(obj: Object, resource: Resource, options: WriteOptions) -> Object:
    """Return the object without unknown fields; 400 for another kind, wrong types, or unknown fields under Strict."""
    _check_kind(obj, resource)
    known, unknown = _known_fields(obj, resource)
    if unknown and options.field_validation == "Strict":
        raise errors.bad_request(f"{_undecodable(resource)}: strict decoding error: {', '.join(unknown)}")
    if options.field_validation == "Warn":
        options.warnings.extend(unknown)
    return known


def _check_kind(obj: Object, resource: Resource) -> None:
    given = (obj.setdefault("apiVersion", resource.api_version), obj.setdefault("kind", resource.kind))
    if given != (resource.api_version, resource.kind):
        wanted = f"{resource.kind} in {resource.api_version}"
        raise errors.bad_request(f"the object provided is unrecognized: {given[1]} in {given[0]} is not {wanted}")
    if not isinstance(obj.setdefault("metadata", {}), dict):
        raise errors.bad_request("metadata must be an object")


def _known_fields(obj: Object, resource: Resource) -> tuple[Object, Sequence[str]]:
    if resource.custom is None:
        decoded = builtin.decode(obj)
        if decoded.error:
            raise errors.bad_request(f"{_undecodable(resource)}: {decoded.error}")
        return decoded.obj, decoded.unknown
    if resource.custom.schema is None:
        return obj, ()
    known, unknown = resource.custom.schema.prune(obj)
    return known, [f'unknown field "{path}"' for path in unknown]


def _undecodable(resource: Resource) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
