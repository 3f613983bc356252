"""A Kubernetes API through lightkube: the only module that knows that library.

Everything is a generic resource, i.e. JSON: lightkube's typed models would cost each agent their import.
"""

from __future__ import annotations

import functools
import socket
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import yaml
from lightkube import ApiError, AsyncClient, ConfigError, KubeConfig, SingleConfig
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.models import Cluster, User
from lightkube.core.resource import ApiInfo, NamespacedSubResource, ResourceDef
from lightkube.generic_resource import Generic, create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

from reference_impl.drivers.api import APIError, ConflictError, NotFoundError, Object, Resource
from reference_impl.names import MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4000),
)
"""A connection whose other end is out of reach is given up after 4 s. A watch may say nothing for minutes, and one from
an address that the node no longer has never says anything again (RFC 1122 section 4.2.3.6, RFC 5482)."""
_KEPT = 60.0
"""Seconds for which a connection that is not used is kept; API servers keep it for longer."""
_NOT_FOUND = 404
_CONFLICT = 409


class _Token(NamespacedSubResource, Generic):  # type: ignore[misc]
    """``serviceaccounts/<name>/token``."""

    _api_info = ApiInfo(
        resource=ResourceDef("authentication.k8s.io", "v1", "TokenRequest"),
        parent=ResourceDef("", "v1", "ServiceAccount"),
        plural="serviceaccounts",
        verbs=["post"],
        action="token",
    )


@functools.cache
def _type(resource: Resource) -> Any:  # noqa: ANN401 - lightkube makes the class
    group, version, kind, plural, namespaced = resource.value
    make = create_namespaced_resource if namespaced else create_global_resource
    return make(group, version, kind, plural)


class KubeAPI:
    """One API server, over one HTTP client."""

    def __init__(self, config: KubeConfig | SingleConfig, patience: float = 10.0) -> None:
        """``patience``: seconds that a server may take to answer a request."""
        single = config.get() if isinstance(config, KubeConfig) else config
        if single is None:
            raise ConfigError("no current context")
        verify = verify_cluster(single.cluster, single.user or User(), single.abs_file, trust_env=False)
        transport = httpx2.AsyncHTTPTransport(
            verify=verify,
            trust_env=False,
            # What is said every 5 s needs no handshake each time, which would cost more than all that is said.
            limits=httpx2.Limits(keepalive_expiry=_KEPT),
            socket_options=_SOCKET_OPTIONS,
        )
        # lightkube's overloads distinguish typed resources; ours are generic and chosen at run time.
        self._client: Any = AsyncClient(
            single,
            field_manager=MANAGED_BY,
            timeout=httpx2.Timeout(patience),
            trust_env=False,
            transport=transport,
        )

    @classmethod
    def in_cluster(cls) -> KubeAPI:
        """Reach the API of the cluster that this pod runs in."""
        return cls(KubeConfig.from_service_account())

    @classmethod
    def from_file(cls, path: Path, context: str = "") -> KubeAPI:
        """Reach what a kubeconfig's context (the current one) names; ``APIError`` if the file does not say that.

        Who has a kubeconfig is a person or a hook, and waits longer for a busy server than a loop that tries again.
        """
        try:
            config = KubeConfig.from_file(path)
            chosen = config.get(context_name=context) if context else None
            return cls(chosen or config, patience=60.0)
        except (ConfigError, OSError, LookupError, TypeError, ValueError, yaml.YAMLError) as error:
            raise APIError(f"kubeconfig {path}: {type(error).__name__}: {error}") from None

    @classmethod
    def from_parts(cls, server: str, certificate_authority: Path, token: Path) -> KubeAPI:
        """Reach a server with files as a mounted Secret has them; the token is read again when it expires."""
        return cls(
            KubeConfig.from_one(
                cluster=Cluster(server=server, certificate_auth=str(certificate_authority)),
                user=User(token_file=str(token)),
            )
        )

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Return one object."""
        with _errors(resource, name):
            return dict(await self._client.get(_type(resource), name, **_in(namespace)))

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "") -> tuple[list[Object], str]:
        """Return objects and the list's resourceVersion."""
        where = namespace or ("*" if resource.namespaced else "")
        selector = _selector(labels)
        with _errors(resource, "list"):
            listing = self._client.list(_type(resource), labels=selector, **_in(where))
            items = [{"apiVersion": resource.api_version, "kind": resource.kind, **item} async for item in listing]
            return items, listing.resourceVersion

    async def watch(self, resource: Resource, namespace: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        """Yield changes after ``version``."""
        where = namespace or ("*" if resource.namespaced else "")
        with _errors(resource, "watch"):
            stream = self._client.watch(_type(resource), resource_version=version, **_in(where))
            async with aclosing(stream) as events:
                async for event, item in events:
                    yield event, dict(item)

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object."""
        with _errors(resource, _name(obj)):
            return dict(await self._client.create(_type(resource)(obj)))

    async def replace(self, resource: Resource, obj: Object) -> Object:
        """Replace an object."""
        with _errors(resource, _name(obj)):
            return dict(await self._client.replace(_type(resource)(obj)))

    async def merge(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch."""
        with _errors(resource, name):
            return dict(
                await self._client.patch(_type(resource), name, patch, patch_type=PatchType.MERGE, **_in(namespace))
            )

    async def merge_status(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        """Apply a JSON merge patch through ``/status``."""
        kind = _type(resource).Status
        with _errors(resource, f"{name}/status"):
            return dict(await self._client.patch(kind, name, patch, patch_type=PatchType.MERGE, **_in(namespace)))

    async def apply(self, resource: Resource, obj: Object) -> Object:
        """Create or change an object by server-side apply."""
        with _errors(resource, _name(obj)):
            return dict(await self._client.apply(_type(resource)(obj), force=True))

    async def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete an object."""
        with _errors(resource, name):
            await self._client.delete(_type(resource), name, **_in(namespace))

    async def token(self, service_account: str, namespace: str, seconds: int) -> str:
        """Issue a token."""
        request = _Token.from_dict({"metadata": {"namespace": namespace}, "spec": {"expirationSeconds": seconds}})
        with _errors(Resource.SERVICE_ACCOUNT, service_account):
            answer = await self._client.create(request, service_account, namespace=namespace)
        return str(answer["status"]["token"])

    async def logs(self, pod: str, namespace: str, container: str) -> str:
        """Return what a container has written."""
        with _errors(Resource.POD, pod):
            lines = self._client.log(pod, namespace=namespace, container=container)
            return "".join([line async for line in lines])


def _in(namespace: str) -> dict[str, str]:
    return {"namespace": namespace} if namespace else {}


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _selector(labels: str) -> dict[str, str] | None:
    return dict(part.split("=", 1) for part in labels.split(",")) if labels else None


@contextmanager
def _errors(resource: Resource, what: str) -> Iterator[None]:
    """Turn the library's errors into ours; the request's headers (tokens!) never get into a message."""
    try:
        yield
    except ApiError as error:
        code = error.status.code or 0
        kind = {_NOT_FOUND: NotFoundError, _CONFLICT: ConflictError}.get(code, APIError)
        raise kind(f"{resource.kind} {what}: {error.status.message}", code) from None
    except httpx2.HTTPStatusError as error:
        code = error.response.status_code
        kind = {_NOT_FOUND: NotFoundError, _CONFLICT: ConflictError}.get(code, APIError)
        raise kind(f"{resource.kind} {what}: HTTP {code}", code) from None
    except (httpx2.HTTPError, OSError) as error:
        raise APIError(f"{resource.kind} {what}: {type(error).__name__}: {error}") from None
