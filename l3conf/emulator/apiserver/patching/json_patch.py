"""JSON patch (RFC 6902), with kube-apiserver's answers to patches that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonpatch
from jsonpointer import JsonPointerException

from l3conf.emulator.apiserver.patching.errors import InapplicablePatchError, MalformedPatchError

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.schemas.json_value import JSON

_OPERATION_LIMIT = 10_000  # kube-apiserver's maxJSONPatchOperations


def json_patch(document: JSON, operations: JSON) -> JSON:
    """Return ``document`` after all ``operations``, or raise and have changed nothing.

    Raises MalformedPatchError (400) for what is no list of operations, InapplicablePatchError (422) if one of
    them does not fit the document.
    """
    if not isinstance(operations, list):
        raise MalformedPatchError("a JSON patch is a list of operations")
    if len(operations) > _OPERATION_LIMIT:
        raise MalformedPatchError(f"a JSON patch may have at most {_OPERATION_LIMIT} operations")
    try:
        patch = jsonpatch.JsonPatch(operations)
    except (jsonpatch.InvalidJsonPatch, JsonPointerException, TypeError) as error:
        raise MalformedPatchError(f"error decoding patch: {error}") from error
    try:
        return patch.apply(document)
    except jsonpatch.InvalidJsonPatch as error:
        raise MalformedPatchError(f"error decoding patch: {error}") from error
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise InapplicablePatchError(
            f"the server rejected our request due to an error in our request: {error}"
        ) from error
