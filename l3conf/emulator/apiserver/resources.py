"""What a served resource is, and the table of the built-in ones.

Columns follow ``kubectl api-resources``. Behaviour that differs by kind stands beside the table that it belongs
to (``behaviours``, ``admission``, ``printing``); here is only what discovery and the store must know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from l3conf.emulator.apiserver.schemas.structural import StructuralSchema

STORED = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
"""Verbs of a resource whose objects are kept."""
ASKED = ("create",)
"""Verbs of a question that is answered and forgotten (reviews, token requests)."""


@dataclass(frozen=True, slots=True)
class CustomVersion:
    """What one served version of a CustomResourceDefinition adds to its resource."""

    definition: str
    """The CRD's name."""
    storage_version: str
    defined: frozenset[str]
    """All versions of the definition, served or not: objects may be stored in each of them."""
    schema: StructuralSchema | None
    printer_columns: tuple[Mapping[str, Any], ...] = ()
    scale: Mapping[str, str] | None = None
    """``specReplicasPath``, ``statusReplicasPath``, ``labelSelectorPath``."""
    selectable: tuple[str, ...] = ()
    """Field paths that field selectors may use, without the leading dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource at one version."""

    group: str = ""
    version: str = "v1"
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = STORED
    subresources: tuple[str, ...] = ()
    counts_generations: bool = False
    """Changes of the desired state bump ``metadata.generation``."""
    unconditional_update: bool = True
    """An update without resourceVersion overwrites; otherwise it is refused."""
    returns_deleted: bool = False
    """DELETE answers with the object rather than with a Status."""
    stored_as: str = ""
    """Storage key if the objects are another resource's (events.k8s.io keeps core events)."""
    fields: tuple[str, ...] = ()
    """What field selectors may use besides metadata.name and metadata.namespace."""
    singular: str = ""
    list_kind: str = ""
    custom: CustomVersion | None = field(default=None, compare=False)

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """``deployments.apps``, or ``pods`` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def key(self) -> str:
        """Where the store keeps the objects; shared by all versions."""
        return self.stored_as or self.group_resource

    @property
    def singular_name(self) -> str:
        """What kubectl calls one of them."""
        return self.singular or self.kind.lower()

    @property
    def kind_of_list(self) -> str:
        """``PodList``."""
        return self.list_kind or f"{self.kind}List"


_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)

_CORE = (
    Resource(
        kind="Namespace",
        plural="namespaces",
        namespaced=False,
        short_names=("ns",),
        verbs=tuple(verb for verb in STORED if verb != "deletecollection"),
        subresources=("status", "finalize"),
        fields=("status.phase",),
        returns_deleted=True,
    ),
    Resource(
        kind="Pod",
        plural="pods",
        short_names=("po",),
        categories=("all",),
        subresources=("status", "log", "exec", "binding", "eviction"),
        fields=_POD_FIELDS,
        returns_deleted=True,
    ),
    Resource(kind="Binding", plural="bindings", verbs=ASKED),
    Resource(
        kind="Service",
        plural="services",
        short_names=("svc",),
        categories=("all",),
        subresources=("status",),
        fields=("spec.clusterIP", "spec.type"),
        returns_deleted=True,
    ),
    Resource(
        kind="Endpoints", plural="endpoints", short_names=("ep",), singular="endpoints", list_kind="EndpointsList"
    ),
    Resource(
        kind="Node",
        plural="nodes",
        namespaced=False,
        short_names=("no",),
        subresources=("status",),
        fields=("spec.unschedulable",),
    ),
    Resource(kind="ConfigMap", plural="configmaps", short_names=("cm",)),
    Resource(kind="Secret", plural="secrets", fields=("type",)),
    Resource(
        kind="ServiceAccount",
        plural="serviceaccounts",
        short_names=("sa",),
        subresources=("token",),
        returns_deleted=True,
    ),
    Resource(kind="Event", plural="events", short_names=("ev",), fields=_EVENT_FIELDS),
)

_APPS = tuple(
    Resource(
        group="apps",
        kind=kind,
        plural=plural,
        short_names=(short,),
        categories=("all",),
        subresources=subresources,
        counts_generations=True,
        fields=fields,
    )
    for kind, plural, short, subresources, fields in (
        ("DaemonSet", "daemonsets", "ds", ("status",), ()),
        ("Deployment", "deployments", "deploy", ("status", "scale"), ()),
        ("ReplicaSet", "replicasets", "rs", ("status", "scale"), ("status.replicas",)),
    )
)

_RBAC = tuple(
    Resource(group="rbac.authorization.k8s.io", kind=kind, plural=plural, namespaced=namespaced)
    for kind, plural, namespaced in (
        ("Role", "roles", True),
        ("RoleBinding", "rolebindings", True),
        ("ClusterRole", "clusterroles", False),
        ("ClusterRoleBinding", "clusterrolebindings", False),
    )
)

_REVIEWS = tuple(
    Resource(group=group, kind=kind, plural=f"{kind.lower()}s", namespaced=namespaced, verbs=ASKED)
    for group, kind, namespaced in (
        ("authentication.k8s.io", "TokenReview", False),
        ("authentication.k8s.io", "SelfSubjectReview", False),
        ("authorization.k8s.io", "SubjectAccessReview", False),
        ("authorization.k8s.io", "LocalSubjectAccessReview", True),
        ("authorization.k8s.io", "SelfSubjectAccessReview", False),
        ("authorization.k8s.io", "SelfSubjectRulesReview", False),
    )
)

_OTHERS = (
    Resource(
        group="admissionregistration.k8s.io",
        kind="ValidatingAdmissionPolicy",
        plural="validatingadmissionpolicies",
        namespaced=False,
        categories=("api-extensions",),
        subresources=("status",),
        counts_generations=True,
    ),
    Resource(
        group="admissionregistration.k8s.io",
        kind="ValidatingAdmissionPolicyBinding",
        plural="validatingadmissionpolicybindings",
        namespaced=False,
        categories=("api-extensions",),
        counts_generations=True,
    ),
    Resource(group="apps", kind="ControllerRevision", plural="controllerrevisions"),
    Resource(
        group="apiextensions.k8s.io",
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=("status",),
        counts_generations=True,
        unconditional_update=False,
    ),
    Resource(group="coordination.k8s.io", kind="Lease", plural="leases", unconditional_update=False),
    Resource(group="discovery.k8s.io", kind="EndpointSlice", plural="endpointslices", counts_generations=True),
    Resource(
        group="events.k8s.io",
        kind="Event",
        plural="events",
        short_names=("ev",),
        stored_as="events",
        fields=("reason", "regarding.kind", "regarding.name", "regarding.namespace", "regarding.uid", "type"),
    ),
    Resource(
        group="networking.k8s.io",
        kind="NetworkPolicy",
        plural="networkpolicies",
        short_names=("netpol",),
        counts_generations=True,
    ),
    Resource(
        group="policy",
        kind="PodDisruptionBudget",
        plural="poddisruptionbudgets",
        short_names=("pdb",),
        subresources=("status",),
        counts_generations=True,
        unconditional_update=False,
    ),
)

BUILT_IN: tuple[Resource, ...] = (*_CORE, *_APPS, *_OTHERS, *_RBAC, *_REVIEWS)
