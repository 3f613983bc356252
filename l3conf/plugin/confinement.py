"""Where the suite may write in clusters of other people: in namespaces of its own, whatever its credential allows.

Pure. A dry run names every object that a run makes; this is what keeps that true of every scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACES = "/api/v1/namespaces"
_READING = frozenset({"GET", "HEAD"})
_ASKING = ("/apis/authentication.k8s.io/", "/apis/authorization.k8s.io/")
"""Reviews are written and forgotten."""


def writes_elsewhere(method: str, path: str, body: object, query: Mapping[str, str], namespace: str) -> bool:
    """Say whether a request would change anything outside ``namespace`` and those that bear its name as a prefix."""
    if method in _READING or query.get("dryRun") == "All" or path.startswith(_ASKING):
        return False
    before, mark, after = path.partition("/namespaces/")
    if mark:
        return not _is_own(after.split("/")[0], namespace)
    made = body.get("metadata", {}).get("name", "") if isinstance(body, dict) else ""
    return not (before == _NAMESPACES and method == "POST" and _is_own(made, namespace))


def _is_own(name: str, namespace: str) -> bool:
    return name == namespace or name.startswith(f"{namespace}-")
