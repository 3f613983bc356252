"""A clone of a member: what its join left in its API, restored in another cluster, as from a backup.

Settings, credentials, accounts and workloads are copied as they stand, whatever the implementation; nothing of the
cluster itself (nodes, keys on their disks, leases). So the clone has the member's name and its credential, and lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.expectations.places import NAMESPACE
from l3conf.plugin.cluster_api import HTTP_CONFLICT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l3conf.plugin.cluster_api import ClusterAPI, Object

_SYSTEM = frozenset({NAMESPACE, "default", "kube-node-lease", "kube-public", "kube-system"})
_RBAC, _APPS = "/apis/rbac.authorization.k8s.io/v1", "/apis/apps/v1"
_COPIED = (
    ("/api/v1", "Secret", "secrets"),
    ("/api/v1", "ConfigMap", "configmaps"),
    ("/api/v1", "ServiceAccount", "serviceaccounts"),
    (_RBAC, "Role", "roles"),
    (_RBAC, "RoleBinding", "rolebindings"),
    (_APPS, "Deployment", "deployments"),
    (_APPS, "DaemonSet", "daemonsets"),
)
"""In the order in which they are made: workloads find what they need."""


def copy_member(source: ClusterAPI, target: ClusterAPI) -> list[str]:
    """Restore a member's objects in another cluster; return the paths of those that were not there yet.

    ``AssertionError`` if there is none: then nothing was cloned.
    """
    made = []
    for prefix, kind, plural in _COPIED:
        for obj in _objects(source, f"{prefix}/{plural}"):
            metadata = obj["metadata"]
            path = f"{prefix}/namespaces/{metadata['namespace']}/{plural}"
            version = prefix.removeprefix("/apis/").removeprefix("/api/")
            answer = target.request("POST", path, body={"apiVersion": version, "kind": kind, **_bare(obj)})
            if answer.ok:
                made.append(f"{path}/{metadata['name']}")
            elif answer.status != HTTP_CONFLICT:
                raise AssertionError(f"{kind} {metadata['name']} cannot be restored: {answer.message}")
    if not made:
        raise AssertionError(f"the join of {source.name} left nothing that could be cloned")
    return made


def delete(target: ClusterAPI, paths: list[str]) -> None:
    """Take a clone away, its workloads first."""
    for path in reversed(paths):
        target.request("DELETE", path)


def not_ready(target: ClusterAPI, namespaces: set[str]) -> list[str]:
    """Return the pods of a clone that are not Ready; one line if there are none."""
    pods = [pod for pod in target.items("/api/v1/pods") if pod["metadata"]["namespace"] in namespaces]
    return [f"{pod['metadata']['name']} is not Ready" for pod in pods if not _is_ready(pod)] or (
        [] if pods else ["the clone has no pods"]
    )


def namespaces_of(paths: list[str]) -> set[str]:
    """Return the namespaces that objects at these paths are in."""
    return {path.partition("/namespaces/")[2].partition("/")[0] for path in paths}


def _objects(api: ClusterAPI, path: str) -> Iterator[Object]:
    for obj in api.items(path):
        metadata = obj["metadata"]
        by_the_cluster = metadata["name"] in {"default", "kube-root-ca.crt"} or metadata.get("ownerReferences")
        if metadata["namespace"] not in _SYSTEM and not by_the_cluster:
            yield obj


def _bare(obj: Object) -> Object:
    names = [name for name in ("name", "namespace", "labels", "annotations") if name in obj["metadata"]]
    kept = {name: obj["metadata"][name] for name in names}
    return {**{key: value for key, value in obj.items() if key not in {"metadata", "status"}}, "metadata": kept}


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
