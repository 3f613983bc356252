"""How lists and objects of Kubernetes' own types merge: merge keys, sets and atomic parts.

The facts stand as markers (``+listType``, ``+listMapKey``, ``+structType``, ``patchStrategy``, ``patchMergeKey``) in
the Go sources of k8s.io/api and k8s.io/apimachinery; the ``kubernetes`` package does not carry them. A list that is not
named here is atomic: replaced as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListRule:
    """How one list merges."""

    keys: tuple[str, ...] = ()
    """What identifies an item; empty for lists of scalars. The first one is the strategic merge key."""
    applies: bool = True
    """Server-side apply merges items; else it replaces the list."""
    patches: bool = True
    """A strategic merge patch merges items; else it replaces the list."""
    retain_keys: bool = False
    """A strategic merge patch may say which keys of an item survive (unions such as a volume's source)."""


def list_rule(type_name: str, field: str) -> ListRule | None:
    """Return the rule of a list field, ``type_name`` as in Go (``PodSpec``); None if it is atomic."""
    rule = _RULES.get((type_name, field))
    if rule is None and field == "conditions" and type_name.endswith("Status"):
        return _BY_TYPE
    return rule


def is_atomic_type(type_name: str) -> bool:
    """Tell whether server-side apply treats values of this type as one field."""
    return type_name in _ATOMIC_TYPES


def is_atomic_field(type_name: str, field: str) -> bool:
    """Tell whether server-side apply treats this map as one field."""
    return (type_name, field) in _ATOMIC_FIELDS


def keeps_only_retained(type_name: str, field: str) -> bool:
    """Tell whether a strategic merge patch of this object may carry ``$retainKeys``."""
    return (type_name, field) == ("DeploymentSpec", "strategy")


def replaces(type_name: str, field: str) -> bool:
    """Tell whether a strategic merge patch replaces this object instead of merging it."""
    return (type_name, field) == ("PodDisruptionBudgetSpec", "selector")


def go_name(model_name: str) -> str:
    """Return the Go name of a class of the ``kubernetes`` package: ``CoreV1EndpointPort`` → ``EndpointPort``."""
    return re.sub(r"^([A-Z][a-z]+)?V\d+((alpha|beta)\d+)?", "", model_name)


_BY_NAME = ListRule(("name",))
_BY_TYPE = ListRule(("type",))
_SET = ListRule()
_SET_IN_APPLY_ONLY = ListRule(patches=False)
_CONTAINER = {
    "ports": ListRule(("containerPort", "protocol")),
    "env": _BY_NAME,
    "volumeMounts": ListRule(("mountPath",)),
    "volumeDevices": ListRule(("devicePath",)),
}

_RULES: dict[tuple[str, str], ListRule] = {
    **{("Container", field): rule for field, rule in _CONTAINER.items()},
    **{("EphemeralContainer", field): rule for field, rule in _CONTAINER.items()},
    ("ContainerStatus", "allocatedResourcesStatus"): _BY_NAME,
    ("ContainerStatus", "volumeMounts"): ListRule(("mountPath",)),
    ("ContainerRestartRuleOnExitCodes", "values"): _SET_IN_APPLY_ONLY,
    ("Endpoint", "addresses"): _SET_IN_APPLY_ONLY,
    ("JobStatus", "conditions"): ListRule(("type",), applies=False),
    ("NodeSpec", "podCIDRs"): _SET,
    ("NodeStatus", "addresses"): _BY_TYPE,
    ("ObjectMeta", "finalizers"): _SET,
    ("ObjectMeta", "ownerReferences"): ListRule(("uid",)),
    ("PodFailurePolicyOnExitCodesRequirement", "values"): _SET_IN_APPLY_ONLY,
    ("PodSpec", "containers"): _BY_NAME,
    ("PodSpec", "ephemeralContainers"): _BY_NAME,
    ("PodSpec", "hostAliases"): ListRule(("ip",)),
    ("PodSpec", "imagePullSecrets"): _BY_NAME,
    ("PodSpec", "initContainers"): _BY_NAME,
    ("PodSpec", "resourceClaims"): ListRule(("name",), retain_keys=True),
    ("PodSpec", "schedulingGates"): _BY_NAME,
    ("PodSpec", "topologySpreadConstraints"): ListRule(("topologyKey", "whenUnsatisfiable")),
    ("PodSpec", "volumes"): ListRule(("name",), retain_keys=True),
    ("PodStatus", "hostIPs"): ListRule(("ip",), applies=False),
    ("PodStatus", "podIPs"): ListRule(("ip",)),
    ("PodStatus", "resourceClaimStatuses"): ListRule(("name",), retain_keys=True),
    ("ResourceRequirements", "claims"): ListRule(("name",), patches=False),
    ("ResourceStatus", "resources"): ListRule(("resourceID",), patches=False),
    ("ServiceAccount", "secrets"): _BY_NAME,
    ("ServiceSpec", "ports"): ListRule(("port", "protocol")),
    ("UncountedTerminatedPods", "failed"): _SET_IN_APPLY_ONLY,
    ("UncountedTerminatedPods", "succeeded"): _SET_IN_APPLY_ONLY,
}

_ATOMIC_TYPES = frozenset(
    {
        "ConfigMapKeySelector",
        "EndpointAddress",
        "EndpointPort",
        "FileKeySelector",
        "LabelSelector",
        "LocalObjectReference",
        "NodeSelector",
        "NodeSelectorTerm",
        "ObjectFieldSelector",
        "ObjectReference",
        "OwnerReference",
        "ResourceFieldSelector",
        "RoleRef",
        "ScopeSelector",
        "SecretKeySelector",
        "SecretReference",
        "ServiceBackendPort",
        "Subject",
        "TopologySelectorTerm",
        "TypedLocalObjectReference",
    }
)

_ATOMIC_FIELDS = frozenset(
    {("PodSpec", "nodeSelector"), ("ReplicationControllerSpec", "selector"), ("ServiceSpec", "selector")}
)
