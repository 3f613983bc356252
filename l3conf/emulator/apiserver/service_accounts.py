"""What ServiceAccounts mean for other objects: pods run as one, token Secrets and TokenRequests speak for one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.admission import Change, Passive
from l3conf.emulator.apiserver.lifecycle import generated_name
from l3conf.emulator.apiserver.namespaces import ROOT_CA
from l3conf.emulator.apiserver.store import Key
from l3conf.emulator.apiserver.tokens import LEGACY_LIFETIME
from l3conf.model.agents import TOKEN_MOUNT_PATH

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.store import Store
    from l3conf.emulator.apiserver.tokens import Tokens
    from l3conf.emulator.cluster_api import Object

MOUNT_PATH = TOKEN_MOUNT_PATH
POD_TOKEN_SECONDS = 3607
"""As in real pods: the odd value marks tokens that are injected by admission."""
_MODE = 0o644
_BRIEF = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class PodServiceAccount(Passive):
    """Admission plug-ins ServiceAccount and DefaultTolerationSeconds."""

    keys = frozenset({"pods"})

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, change: Change) -> None:
        """Make the pod run as a ServiceAccount that exists, with its credentials mounted unless it declines."""
        if change.old is not None:
            return
        spec, namespace = change.new["spec"], change.new["metadata"].get("namespace", "")
        _tolerate(spec)
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._store.get("serviceaccounts", Key(namespace, name))
        if account is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise errors.forbidden("pods", change.new["metadata"]["name"], why)
        wish = spec.get("automountServiceAccountToken")
        if wish if wish is not None else account.get("automountServiceAccountToken", True):
            _mount_credentials(spec)


def _tolerate(spec: dict[str, Any]) -> None:
    tolerations = list(spec.get("tolerations") or ())
    for taint in _TAINTS:
        if not any(
            t.get("key") in (taint, None, "") and t.get("effect") in ("NoExecute", None, "") for t in tolerations
        ):
            tolerations.append({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _BRIEF})
    spec["tolerations"] = tolerations


def _mount_credentials(spec: dict[str, Any]) -> None:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    bare = [c for c in containers if all(m.get("mountPath") != MOUNT_PATH for m in c.get("volumeMounts") or ())]
    if not bare:
        return
    name = generated_name("kube-api-access-")
    spec["volumes"] = [*(spec.get("volumes") or ()), _credentials(name)]
    for container in bare:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _credentials(name: str) -> dict[str, Any]:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": POD_TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"defaultMode": _MODE, "sources": sources}}


class TokenSecrets(Passive):
    """Fills Secrets of type ``kubernetes.io/service-account-token``, as the token controller does."""

    keys = frozenset({"secrets"})

    def __init__(self, store: Store, tokens: Tokens, ca_pem: str) -> None:
        self._store = store
        self._tokens = tokens
        self._ca_pem = ca_pem

    def admit(self, change: Change) -> None:
        """Put token, ca.crt and namespace into the Secret; leave it empty if its account does not exist."""
        secret, metadata = change.new, change.new["metadata"]
        if change.old is not None or secret.get("type") != "kubernetes.io/service-account-token":
            return
        annotations = metadata.get("annotations") or {}
        name, namespace = annotations.get("kubernetes.io/service-account.name", ""), metadata.get("namespace", "")
        account = self._store.get("serviceaccounts", Key(namespace, name))
        if account is None:
            return
        annotations["kubernetes.io/service-account.uid"] = account["metadata"]["uid"]
        token = self._tokens.issue(namespace, name, seconds=LEGACY_LIFETIME, bound=secret)
        values = {"token": token, "ca.crt": self._ca_pem, "namespace": namespace}
        secret["data"] = {**(secret.get("data") or {}), **{key: _base64(value) for key, value in values.items()}}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def bound_object(store: Store, namespace: str, reference: Object | None) -> Object | None:
    """Return what a TokenRequest binds its token to; 404 if it is not there, 409 if it is another of that name."""
    if not reference:
        return None
    kind, name = reference.get("kind", ""), reference.get("name", "")
    plural = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}.get(kind)
    if plural is None:
        raise errors.bad_request(f"cannot bind token for serviceaccount to object type {kind}")
    found = store.get(plural, Key("" if plural == "nodes" else namespace, name))
    if found is None:
        raise errors.not_found(plural, name)
    if reference.get("uid") and reference["uid"] != found["metadata"]["uid"]:
        raise errors.conflict(plural, name, "the UID in the bound object reference does not match")
    return found
