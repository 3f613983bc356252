"""Namespaces: nothing is created in one that is missing or going; each begins with what a control plane gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.admission import Change, Passive
from l3conf.emulator.apiserver.store import Key

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.options import User
    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.cluster_api import Object

FROM_THE_START = ("default", "kube-node-lease", "kube-public", "kube-system")
_IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
ROOT_CA = "kube-root-ca.crt"


class NamespaceLifecycle(Passive):
    """Admission plug-in NamespaceLifecycle."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def admit(self, change: Change) -> None:
        """Refuse to create in a namespace that does not exist (404) or is terminating (403)."""
        namespace = change.new["metadata"].get("namespace")
        if change.old is not None or not namespace:
            return
        found = self._verbs.store.get("namespaces", Key("", namespace))
        if found is None:
            raise errors.not_found("namespaces", namespace)
        if found["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            refusal = errors.forbidden(change.resource.plural, change.new["metadata"]["name"], why)
            refusal.details["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise refusal

    def deleting(self, resource: Resource, obj: Object, user: User) -> None:
        """Keep the namespaces that a cluster cannot be without."""
        del user
        name = obj["metadata"]["name"]
        if resource.key == "namespaces" and name in _IMMORTAL:
            raise errors.forbidden("namespaces", name, "this namespace may not be deleted")


class NamespaceFurniture(Passive):
    """Makes ServiceAccount ``default`` and ConfigMap ``kube-root-ca.crt``, which real clusters make a moment later."""

    keys = frozenset({"namespaces"})

    def __init__(self, registry: Registry, verbs: Verbs, ca_pem: str) -> None:
        self._registry = registry
        self._verbs = verbs
        self._ca_pem = ca_pem

    def stored(self, change: Change) -> None:
        """Furnish a new namespace, so that its first pod need not be tried twice."""
        if change.old is None:
            name = change.new["metadata"]["name"]
            self._put("serviceaccounts", name, {"metadata": {"name": "default"}})
            self._put("configmaps", name, {"metadata": {"name": ROOT_CA}, "data": {"ca.crt": self._ca_pem}})

    def _put(self, resource: str, namespace: str, obj: Object) -> None:
        self._verbs.create(self._registry.named(resource), namespace, obj)
