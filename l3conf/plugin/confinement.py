"""What the suite does in clusters of other people: what it asks rights for, whatever its credential allows. Pure.

It writes in namespaces of its own alone: a dry run names every object that a run makes, and this keeps that true of
every scenario. It reads what the roles let it read: an administrator's credential must not bring other people's pods
and logs into a report, nor lead a test to other verdicts than the credential that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACES = "/api/v1/namespaces"
_READING = frozenset({"GET", "HEAD"})
_ASKING = ("/apis/authentication.k8s.io/", "/apis/authorization.k8s.io/")
"""Reviews are written and forgotten."""
_TESTED = "/apis/submariner.io/"
READABLE = frozenset(
    {
        "/api/v1/nodes",
        "/api/v1/namespaces",
        "/api/v1/namespaces/kube-system/configmaps/kubeadm-config",
        "/apis/networking.k8s.io/v1/servicecidrs",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    }
)
"""What is read outside the run's own namespaces, beside namespaces themselves and the API that is tested."""
_GROUP_VERSION = 3
"""Parts of ``/apis/GROUP/VERSION``, which lists resources, as anybody may."""


def writes_elsewhere(method: str, path: str, body: object, query: Mapping[str, str], namespace: str) -> bool:
    """Say whether a request would change anything outside ``namespace`` and those that bear its name as a prefix."""
    if method in _READING or query.get("dryRun") == "All" or path.startswith(_ASKING):
        return False
    before, mark, after = path.partition("/namespaces/")
    if mark:
        return not _is_own(after.split("/")[0], namespace)
    made = body.get("metadata", {}).get("name", "") if isinstance(body, dict) else ""
    return not (before == _NAMESPACES and method == "POST" and _is_own(made, namespace))


def reads_elsewhere(method: str, path: str, namespace: str) -> bool:
    """Say whether a request would read what others have in a cluster."""
    if method not in _READING or path in READABLE or path.startswith(_TESTED):
        return False
    before, mark, after = path.partition("/namespaces/")
    if mark:
        name, more, _ = after.partition("/")
        is_namespace_itself = f"{before}/namespaces" == _NAMESPACES and not more
        return not is_namespace_itself and not _is_own(name, namespace)
    return path.startswith("/api/v1/") or (path.startswith("/apis/") and path.count("/") > _GROUP_VERSION)


def _is_own(name: str, namespace: str) -> bool:
    return name == namespace or name.startswith(f"{namespace}-")
