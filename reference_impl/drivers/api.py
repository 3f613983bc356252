"""The seam to a Kubernetes API: plain JSON objects, few verbs, errors by what the caller must do."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Object: TypeAlias = dict[str, Any]


class Resource(enum.Enum):
    """Kinds that this implementation handles: group, version, kind, plural, namespaced."""

    CLUSTER = ("submariner.io", "v1", "Cluster", "clusters", True)
    ENDPOINT = ("submariner.io", "v1", "Endpoint", "endpoints", True)
    GATEWAY = ("submariner.io", "v1", "Gateway", "gateways", True)
    ROUTE_AGENT = ("submariner.io", "v1", "RouteAgent", "routeagents", True)
    CONNECTION_POLICY = ("l3conf.io", "v1alpha1", "ClusterConnectionPolicy", "clusterconnectionpolicies", True)
    CLUSTER_EGRESS_IP = ("submariner.io", "v1", "ClusterGlobalEgressIP", "clusterglobalegressips", False)
    EGRESS_IP = ("submariner.io", "v1", "GlobalEgressIP", "globalegressips", True)
    INGRESS_IP = ("submariner.io", "v1", "GlobalIngressIP", "globalingressips", True)
    SERVICE_EXPORT = ("multicluster.x-k8s.io", "v1alpha1", "ServiceExport", "serviceexports", True)
    SERVICE_IMPORT = ("multicluster.x-k8s.io", "v1alpha1", "ServiceImport", "serviceimports", True)
    SERVICE = ("", "v1", "Service", "services", True)
    ENDPOINT_SLICE = ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", True)
    LEASE = ("coordination.k8s.io", "v1", "Lease", "leases", True)
    NODE = ("", "v1", "Node", "nodes", False)
    NAMESPACE = ("", "v1", "Namespace", "namespaces", False)
    EVENT = ("", "v1", "Event", "events", True)
    POD = ("", "v1", "Pod", "pods", True)
    CONFIG_MAP = ("", "v1", "ConfigMap", "configmaps", True)
    SECRET = ("", "v1", "Secret", "secrets", True)
    SERVICE_ACCOUNT = ("", "v1", "ServiceAccount", "serviceaccounts", True)
    DAEMON_SET = ("apps", "v1", "DaemonSet", "daemonsets", True)
    DEPLOYMENT = ("apps", "v1", "Deployment", "deployments", True)
    ROLE = ("rbac.authorization.k8s.io", "v1", "Role", "roles", True)
    ROLE_BINDING = ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", True)
    CLUSTER_ROLE = ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False)
    CLUSTER_ROLE_BINDING = ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False)
    ADMISSION_POLICY = (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        False,
    )
    ADMISSION_BINDING = (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        False,
    )
    CRD = ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)

    CLUSTER_PROPERTY = ("about.k8s.io", "v1", "ClusterProperty", "clusterproperties", False)

    @property
    def api_version(self) -> str:
        """Return ``apiVersion`` as objects have it."""
        group, version, *_ = self.value
        return f"{group}/{version}" if group else version

    @property
    def group(self) -> str:
        """Return the API group; "" for the core group."""
        return self.value[0]

    @property
    def plural(self) -> str:
        """Return the name as URLs have it."""
        return self.value[3]

    @property
    def kind(self) -> str:
        """Return ``kind`` as objects have it."""
        return self.value[2]

    @property
    def namespaced(self) -> bool:
        """Say whether objects live in a namespace."""
        return self.value[4]

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Resource:
        """Return an object's resource; ``ValueError`` for a kind that is not handled here."""
        for resource in cls:
            if (resource.api_version, resource.kind) == (obj.get("apiVersion"), obj.get("kind")):
                return resource
        raise ValueError(f"{obj.get('apiVersion')} {obj.get('kind')} is not handled here")


class APIError(Exception):
    """The API refused or could not be reached. ``code`` is the HTTP status, 0 if there was no answer.

    ``retry_after``: seconds that the server asks for before the next try; 0 if it asks for none.
    """

    def __init__(self, message: str, code: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class NotFoundError(APIError):
    """404: there is no such object, or no such kind."""


class ConflictError(APIError):
    """409: somebody else was faster. Read again, decide again."""


class API(Protocol):
    """One cluster's API. Every method may raise ``APIError``."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Return one object."""

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        """Return the objects (of all namespaces if none is given) and the list's resourceVersion.

        ``name``: only the object of that name, to which rights may be limited as for ``get``.
        """

    def watch(
        self, resource: Resource, namespace: str, version: str, *, name: str = "", seconds: int = 0
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield ``(ADDED|MODIFIED|DELETED, object)`` after ``version``, until the server ends it; raises if too old.

        ``seconds``: when it is to do so; 0: when it likes. Only what a server ends leaves a connection to go on with.
        """

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object in its namespace; ``ConflictError`` if it exists."""

    async def replace(self, resource: Resource, obj: Object) -> Object:
        """Replace an object; ``ConflictError`` if its resourceVersion is not the newest."""

    async def merge(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch (RFC 7396)."""

    async def merge_status(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch to the status of a kind whose status is a subresource."""

    async def apply(self, resource: Resource, obj: Object) -> Object:
        """Create or change an object by server-side apply, taking over fields that others own."""

    async def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete an object; ``NotFoundError`` if it is gone."""

    async def token(self, service_account: str, namespace: str, seconds: int) -> str:
        """Issue a token for a ServiceAccount (TokenRequest)."""

    async def logs(self, pod: str, namespace: str, container: str) -> str:
        """Return what a container has written."""

    async def close(self) -> None:
        """Close connections."""
