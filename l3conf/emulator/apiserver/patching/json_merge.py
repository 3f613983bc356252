"""JSON merge patch (RFC 7396)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.schemas.json_value import JSON


def merge_patch(target: JSON, patch: JSON) -> JSON:
    """Return ``target`` changed by ``patch``: null removes a key, objects merge, all else replaces.

    Neither argument is changed; the result may share unchanged parts with both.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
