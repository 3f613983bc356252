"""One request on its way: what is known about it, and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.disturbances import Client
from l3conf.emulator.apiserver.tables import columns_of, partial, table
from l3conf.emulator.apiserver.web import media, queries
from l3conf.emulator.apiserver.web.media import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l3conf.emulator.apiserver.options import User, WriteOptions
    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.web.paths import Target
    from l3conf.emulator.cluster_api import Object

BODY_LIMIT = 3 << 20
"""Bytes, as kube-apiserver's MaxRequestBodyBytes."""


@dataclass(slots=True)
class Call:
    """A request with its target and user."""

    request: web.BaseRequest
    target: Target
    user: User
    warnings: list[str] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """Who asks for what, as far as faults tell requests apart."""
        return Client(
            user=self.user.name,
            agent=self.request.headers.get("User-Agent", ""),
            verb=self.target.verb,
            resource=errors.qualified(self.target.plural, self.target.group) if self.target.plural else "",
        )

    @property
    def write_options(self) -> WriteOptions:
        """How a write is meant; unknown fields end up in ``warnings``."""
        agent = self.request.headers.get("User-Agent", "")
        options = queries.write_options(self.request.query, self.user, agent)
        self.warnings = options.warnings
        return options

    @property
    def content_type(self) -> str:
        """The body's media type as the client says it."""
        return self.request.headers.get("Content-Type", "")

    async def body(self) -> bytes:
        """Read the body; 413 if it is too large."""
        if (self.request.content_length or 0) > BODY_LIMIT:
            raise errors.too_large(BODY_LIMIT)
        parts, size = [], 0
        async for part in self.request.content.iter_any():
            size += len(part)
            if size > BODY_LIMIT:
                raise errors.too_large(BODY_LIMIT)
            parts.append(part)
        return b"".join(parts)

    async def read_object(self) -> Object:
        """Read the body as an object."""
        return media.as_object(media.decode(await self.body(), self.content_type))

    def answer(self, value: object, status: int = 200) -> web.Response:
        """Answer with a value that is no stored object (Status, discovery, review)."""
        found = media.accepted(self.request.headers.get("Accept", ""))
        return self._response(media.encode(value, found.media), found.media, status)

    def answer_object(self, obj: Object, resource: Resource, status: int = 200) -> web.Response:
        """Answer with an object in the shape that the client asked for."""
        found = media.accepted(self.request.headers.get("Accept", ""))
        shown = self.shaped(obj, resource, found.shape)
        return self._response(media.encode(shown, found.media), found.media, status)

    def answer_list(self, items: Iterable[Object], resource: Resource, metadata: Object) -> web.Response:
        """Answer with a list in the shape that the client asked for."""
        found = media.accepted(self.request.headers.get("Accept", ""))
        if found.shape is Shape.TABLE:
            shown = table(items, columns_of(resource), self.include, metadata)
        elif found.shape is Shape.PARTIAL_LIST:
            kind = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            shown = {**kind, "metadata": metadata, "items": [partial(obj) for obj in items]}
        else:
            kind = {"kind": resource.kind_of_list, "apiVersion": resource.api_version}
            shown = {**kind, "metadata": metadata, "items": list(items)}
        return self._response(media.encode(shown, found.media), found.media, 200)

    @property
    def include(self) -> str:
        """What of each object goes along in a Table."""
        return self.request.query.get("includeObject") or "Metadata"

    def shaped(self, obj: Object, resource: Resource, shape: Shape) -> Any:  # noqa: ANN401 - JSON
        """Return one object in a shape."""
        if shape is Shape.TABLE:
            version = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return table([obj], columns_of(resource), self.include, version)
        return partial(obj) if shape is Shape.PARTIAL else obj

    def _response(self, body: bytes, content_type: str, status: int) -> web.Response:
        response = web.Response(body=body, status=status, headers={"Content-Type": content_type})
        for warning in self.warnings:
            text = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{text}"')
        return response


def hang_up(request: web.BaseRequest) -> ConnectionError:
    """Break a request's connection without a word; return the error that ends its handling."""
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("the connection was broken by a fault")


def status_response(error: errors.StatusError) -> web.Response:
    """Return a refusal as the Status object that clients parse."""
    response = web.Response(body=media.encode(error.to_status()), status=error.code)
    response.headers["Content-Type"] = media.JSON
    if (seconds := error.details.get("retryAfterSeconds")) is not None:
        response.headers["Retry-After"] = str(seconds)
    return response
