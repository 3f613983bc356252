"""Keeps in every namespace its ServiceAccount ``default`` and the ConfigMap by which pods trust the API server.

The API server makes both with the namespace; this loop brings them back when somebody removes or changes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.controllers.cache import Cache, Key
from l3conf.emulator.controllers.work_queue import WorkQueue

if TYPE_CHECKING:
    from l3conf.emulator.cluster_api import Object

ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints."
ALREADY_THERE, NOT_FOUND, FORBIDDEN = 409, 404, 403


class ServiceAccountController:
    """Watches namespaces, ServiceAccounts and ConfigMaps; what is deleted comes back."""

    def __init__(self, cache: Cache, ca_pem: str) -> None:
        self._cache = cache
        self._ca_pem = ca_pem
        self._queue: WorkQueue[Key] = WorkQueue("serviceaccount", self._reconcile)

    def start(self) -> None:
        """Begin to watch."""
        self._cache.watch("serviceaccounts", self._on_account)
        self._cache.watch("configmaps", self._on_config_map)
        self._cache.watch("namespaces", self._on_namespace)

    def stop(self) -> None:
        """Do nothing more."""
        self._queue.close()

    def _on_namespace(self, _before: Object | None, after: Object | None) -> None:
        if after is not None:
            self._queue.add(Key.of(after))

    def _on_account(self, before: Object | None, after: Object | None) -> None:
        if after is None and before is not None and before["metadata"]["name"] == "default":
            self._queue.add(Key("", before["metadata"]["namespace"]))

    def _on_config_map(self, before: Object | None, after: Object | None) -> None:
        obj = after or before
        if obj is not None and obj["metadata"]["name"] == ROOT_CA and before is not None:
            self._queue.add(Key("", obj["metadata"]["namespace"]))

    def _reconcile(self, key: Key) -> None:
        namespace = self._cache.get("namespaces", key)
        if namespace is None or namespace["metadata"].get("deletionTimestamp"):
            return
        if self._cache.get("serviceaccounts", Key(key.name, "default")) is None:
            self._create("serviceaccounts", _account(key.name))
        wanted = _root_ca(key.name, self._ca_pem)
        present = self._cache.get("configmaps", Key(key.name, ROOT_CA))
        if present is None:
            self._create("configmaps", wanted)
        elif present.get("data") != wanted["data"]:
            self._cache.patch("configmaps", Key(key.name, ROOT_CA), {"data": wanted["data"]})

    def _create(self, resource: str, obj: Object) -> None:
        """Create; a namespace that is going takes nothing new, and another may have been quicker."""
        try:
            self._cache.create(resource, obj)
        except StatusError as error:
            if error.code not in {ALREADY_THERE, NOT_FOUND, FORBIDDEN}:
                raise


def _account(namespace: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}


def _root_ca(namespace: str, ca_pem: str) -> Object:
    annotations = {"kubernetes.io/description": _DESCRIPTION}
    metadata = {"name": ROOT_CA, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": ca_pem}}
