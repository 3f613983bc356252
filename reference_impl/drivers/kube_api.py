"""A Kubernetes API over HTTP: what each verb is called on the wire, and what its refusals mean.

Everything is JSON as the API has it: typed models would cost each agent their import.
"""

from __future__ import annotations

import json
import os
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Object, Resource
from reference_impl.drivers.http import RefusedError
from reference_impl.names import MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from reference_impl.drivers.http import Transport

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod finds its token and the CA of its API server."""
_NOT_FOUND = 404
_CONFLICT = 409
_JSON, _MERGE, _APPLY = "application/json", "application/merge-patch+json", "application/apply-patch+yaml"
_PATIENCE = 10.0
"""Seconds that a server may take to answer an agent, which tries again."""
_PEOPLES_PATIENCE = 60.0
"""Seconds that it may take to answer a person or a hook."""


class KubeAPI:
    """One API server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def in_cluster(cls) -> KubeAPI:
        """Reach the API of the cluster that this pod runs in; ``APIError`` outside of pods."""
        try:
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        except KeyError as error:
            raise APIError(f"not in a pod: variable {error} is not set") from None
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        return cls.from_parts(server, _ACCOUNT / "ca.crt", _ACCOUNT / "token")

    @classmethod
    def from_parts(cls, server: str, certificate_authority: Path, token: Path) -> KubeAPI:
        """Reach a server with files as a mounted Secret has them; the token is read again when it is refused."""
        from reference_impl.drivers.token_file import AgentHTTP  # noqa: PLC0415 - each imports what it needs

        try:
            return cls(AgentHTTP(server, certificate_authority, token, _PATIENCE))
        except (OSError, ValueError) as error:
            raise APIError(f"API server {server}: {error}") from None

    @classmethod
    def from_file(cls, path: Path, context: str = "") -> KubeAPI:
        """Reach what a kubeconfig's context (the current one) names; ``APIError`` if the file does not say that."""
        from reference_impl.drivers.kubeconfig import KubeconfigError, kubeconfig_client  # noqa: PLC0415 - likewise

        try:
            return cls(kubeconfig_client(path, context, patience=_PEOPLES_PATIENCE))
        except KubeconfigError as error:
            raise APIError(f"kubeconfig {path}: {error}") from None

    async def close(self) -> None:
        """Close connections."""
        await self._transport.close()

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Return one object."""
        return await self._call("GET", resource, name, _path(resource, namespace, name))

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> tuple[list[Object], str]:
        """Return objects and the list's resourceVersion."""
        items: list[Object] = []
        query = {**_only(name), **({"labelSelector": labels} if labels else {})}
        while True:
            page = await self._call("GET", resource, "list", _path(resource, namespace, **query))
            items += page.get("items") or ()
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                kind = {"apiVersion": resource.api_version, "kind": resource.kind}
                return [{**kind, **item} for item in items], str(metadata.get("resourceVersion") or "")
            query["continue"] = metadata["continue"]

    async def watch(
        self, resource: Resource, namespace: str, version: str, *, name: str = "", seconds: int = 0
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield changes after ``version``."""
        query = {**_only(name), **({"timeoutSeconds": str(seconds)} if seconds else {})}
        target = _path(resource, namespace, watch="true", resourceVersion=version, **query)
        with _errors(resource, "watch"):
            async with aclosing(self._transport.lines(target)) as lines:
                async for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _refusal(resource, "watch", event["object"].get("code") or 0, event["object"])
                    yield event["type"], event["object"]

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object."""
        target = _path(resource, _namespace(obj), fieldManager=MANAGED_BY)
        return await self._call("POST", resource, _name(obj), target, obj, _JSON)

    async def replace(self, resource: Resource, obj: Object) -> Object:
        """Replace an object."""
        target = _path(resource, _namespace(obj), _name(obj), fieldManager=MANAGED_BY)
        return await self._call("PUT", resource, _name(obj), target, obj, _JSON)

    async def merge(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch."""
        target = _path(resource, namespace, name, fieldManager=MANAGED_BY)
        return await self._call("PATCH", resource, name, target, patch, _MERGE)

    async def merge_status(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch through ``/status``."""
        target = _path(resource, namespace, name, "status", fieldManager=MANAGED_BY)
        return await self._call("PATCH", resource, f"{name}/status", target, patch, _MERGE)

    async def apply(self, resource: Resource, obj: Object) -> Object:
        """Create or change an object by server-side apply."""
        target = _path(resource, _namespace(obj), _name(obj), fieldManager=MANAGED_BY, force="true")
        return await self._call("PATCH", resource, _name(obj), target, obj, _APPLY)

    async def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete an object."""
        await self._call("DELETE", resource, name, _path(resource, namespace, name))

    async def token(self, service_account: str, namespace: str, seconds: int) -> str:
        """Issue a token."""
        resource = Resource.SERVICE_ACCOUNT
        head = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body = {**head, "metadata": {"namespace": namespace}, "spec": {"expirationSeconds": seconds}}
        target = _path(resource, namespace, service_account, "token", fieldManager=MANAGED_BY)
        answer = await self._call("POST", resource, service_account, target, body, _JSON)
        return str(answer["status"]["token"])

    async def logs(self, pod: str, namespace: str, container: str) -> str:
        """Return what a container has written."""
        with _errors(Resource.POD, pod):
            text = await self._transport.request("GET", _path(Resource.POD, namespace, pod, "log", container=container))
        return text.decode(errors="replace")

    async def _call(
        self, method: str, resource: Resource, what: str, target: str, body: Object | None = None, kind: str = ""
    ) -> Object:
        """Return the answer; ``what`` is named by errors, ``kind`` is the content type of the body."""
        with _errors(resource, what):
            content = b"" if body is None else json.dumps(body).encode()
            answer: Any = json.loads(await self._transport.request(method, target, body=content, content_type=kind))
        return dict(answer)


def _path(resource: Resource, namespace: str, *names: str, **query: str) -> str:
    """Return path and query of a collection, of an object, or of a part of an object."""
    group, version, _, plural, namespaced = resource.value
    parts = ["apis", group, version] if group else ["api", version]
    if namespaced and namespace:
        parts += ["namespaces", namespace]
    path = "/".join(quote(part, safe="") for part in (*parts, plural, *names))
    return f"/{path}?{urlencode(query)}" if query else f"/{path}"


def _only(name: str) -> dict[str, str]:
    """Return the query by which rights on one name suffice (Kubernetes, RBAC: "Referring to resources")."""
    return {"fieldSelector": f"metadata.name={name}"} if name else {}


def _namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace") or "")


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


@contextmanager
def _errors(resource: Resource, what: str) -> Iterator[None]:
    """Turn the transport's errors into ours."""
    try:
        yield
    except RefusedError as error:
        raise _refusal(resource, what, error.code, error.body, error.retry_after) from None
    except (OSError, ValueError) as error:
        raise APIError(f"{resource.kind} {what}: {type(error).__name__}: {error}") from None


def _refusal(resource: Resource, what: str, code: int, body: bytes | Object, retry_after: float = 0.0) -> APIError:
    """Return the error of a refusal, in the words of the API's Status if it sent one."""
    try:
        status = body if isinstance(body, dict) else json.loads(body)
        message = status["message"]
    except (ValueError, LookupError, TypeError):
        message = f"HTTP {code}"
    kind = {_NOT_FOUND: NotFoundError, _CONFLICT: ConflictError}.get(code, APIError)
    return kind(f"{resource.kind} {what}: {message}", code, retry_after)
