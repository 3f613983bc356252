"""The RBAC objects that every cluster begins with (``plugin/pkg/auth/authorizer/rbac/bootstrappolicy``), as data.

Only resources that this server has are named; users meet cluster-admin, admin, edit, view, discovery and
basic-user, and CRD authors extend the first four by aggregation labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from l3conf.emulator.cluster_api import Object

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ASK = ("create",)
_RBAC = "rbac.authorization.k8s.io"
_BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}

_VIEW_CORE = (
    "configmaps",
    "endpoints",
    "events",
    "namespaces",
    "namespaces/status",
    "pods",
    "pods/log",
    "pods/status",
    "serviceaccounts",
    "services",
    "services/status",
)
_VIEW_APPS = (
    "controllerrevisions",
    "daemonsets",
    "daemonsets/status",
    "deployments",
    "deployments/scale",
    "deployments/status",
    "replicasets",
    "replicasets/scale",
    "replicasets/status",
)
_EDIT_CORE = ("configmaps", "events", "pods", "secrets", "serviceaccounts", "services", "endpoints")
_EDIT_APPS = ("daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale")


def _rule(verbs: Sequence[str], group: str, *resources: str) -> dict[str, Any]:
    return {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}


def _paths(*paths: str) -> dict[str, Any]:
    return {"verbs": ["get"], "nonResourceURLs": list(paths)}


_VIEW_RULES = (
    _rule(_READ, "", *_VIEW_CORE),
    _rule(_READ, "apps", *_VIEW_APPS),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(_READ, "networking.k8s.io", "networkpolicies"),
    _rule(_READ, "policy", "poddisruptionbudgets", "poddisruptionbudgets/status"),
)
_EDIT_RULES = (
    _rule((*_READ, *_WRITE), "", *_EDIT_CORE),
    _rule(("get", "create"), "", "pods/exec"),
    _rule(_ASK, "", "pods/eviction", "serviceaccounts/token"),
    _rule(_WRITE, "apps", *_EDIT_APPS),
    _rule((*_READ, *_WRITE), "coordination.k8s.io", "leases"),
    _rule(_WRITE, "networking.k8s.io", "networkpolicies"),
    _rule(_WRITE, "policy", "poddisruptionbudgets"),
    _rule(("impersonate",), "", "serviceaccounts"),
)
_ADMIN_RULES = (
    _rule((*_READ, *_WRITE), _RBAC, "rolebindings", "roles"),
    _rule(_ASK, "authorization.k8s.io", "localsubjectaccessreviews"),
)

_PLAIN: tuple[tuple[str, tuple[dict[str, Any], ...]], ...] = (
    (
        "cluster-admin",
        (
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ),
    ),
    (
        "system:discovery",
        (
            _paths(
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/healthz",
                "/livez",
                "/openapi",
                "/openapi/*",
                "/readyz",
                "/version",
                "/version/",
            ),
        ),
    ),
    ("system:public-info-viewer", (_paths("/healthz", "/livez", "/readyz", "/version", "/version/"),)),
    (
        "system:basic-user",
        (
            _rule(_ASK, "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
            _rule(_ASK, "authentication.k8s.io", "selfsubjectreviews"),
        ),
    ),
    (
        "system:auth-delegator",
        (
            _rule(_ASK, "authentication.k8s.io", "tokenreviews"),
            _rule(_ASK, "authorization.k8s.io", "subjectaccessreviews"),
        ),
    ),
)
_AGGREGATING = (
    ("view", _VIEW_RULES, ("view",)),
    ("edit", _EDIT_RULES, ("edit",)),
    ("admin", _ADMIN_RULES, ("admin",)),
)
"""User-facing role, its own rules (in ``system:aggregate-to-…``), and the labels that it gathers."""
_PARENTS = {"view": "edit", "edit": "admin"}

_BINDINGS = (
    ("cluster-admin", ("system:masters",)),
    ("system:discovery", ("system:authenticated",)),
    ("system:basic-user", ("system:authenticated",)),
    ("system:public-info-viewer", ("system:authenticated", "system:unauthenticated")),
)


def cluster_roles() -> Iterator[Object]:
    """Yield the default ClusterRoles, parts before the roles that gather them."""
    for name, rules in _PLAIN:
        yield {"metadata": {"name": name, "labels": dict(_BOOTSTRAPPING)}, "rules": list(rules)}
    for name, rules, labels in _AGGREGATING:
        part = {**_BOOTSTRAPPING, **{_aggregation_label(label): "true" for label in labels}}
        yield {"metadata": {"name": f"system:aggregate-to-{name}", "labels": part}, "rules": list(rules)}
        parent = {_aggregation_label(_PARENTS[name]): "true"} if name in _PARENTS else {}
        selector = {"matchLabels": {_aggregation_label(name): "true"}}
        yield {
            "metadata": {"name": name, "labels": {**_BOOTSTRAPPING, **parent}},
            "aggregationRule": {"clusterRoleSelectors": [selector]},
            "rules": [],
        }


def cluster_role_bindings() -> Iterator[Object]:
    """Yield the default ClusterRoleBindings."""
    for role, groups in _BINDINGS:
        yield {
            "metadata": {"name": role, "labels": dict(_BOOTSTRAPPING)},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "Group", "apiGroup": _RBAC, "name": group} for group in groups],
        }


def _aggregation_label(name: str) -> str:
    return f"{_RBAC}/aggregate-to-{name}"
