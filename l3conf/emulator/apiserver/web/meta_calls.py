"""Requests that are about the server: health, version, discovery, OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from l3conf.emulator.apiserver import discovery, errors
from l3conf.emulator.apiserver.web import media
from l3conf.emulator.apiserver.web.media import Shape

if TYPE_CHECKING:
    from l3conf.emulator.apiserver.registry import Registry
    from l3conf.emulator.apiserver.schemas.openapi import ServedResource
    from l3conf.emulator.apiserver.web.context import Call

HEALTH = frozenset({"/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/ping"})
_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2"


class MetaCalls:
    """Answers for one registry; OpenAPI documents are made when first asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, call: Call) -> web.StreamResponse:
        """Answer a request that is for no resource; 404 for unknown paths, 405 for anything but GET."""
        path = call.target.path.rstrip("/") or "/"
        if call.request.method not in {"GET", "HEAD"}:
            raise errors.method_not_allowed(call.request.method)
        if path in HEALTH:
            return web.Response(text="ok")
        if path == "/version":
            return call.answer(discovery.VERSION)
        if path.startswith("/openapi/"):
            return self._openapi(call, path)
        return self._discovery(call, path)

    def _discovery(self, call: Call, path: str) -> web.StreamResponse:
        if path in {"/api", "/apis"}:
            accepted = media.accepted(call.request.headers.get("Accept", ""), discovery=True)
            if accepted.shape is Shape.DISCOVERY:
                found = discovery.aggregated(self._registry, accepted.version, core=path == "/api")
                headers = {"Content-Type": accepted.content_type, "Vary": "Accept"}
                return web.Response(body=media.encode(found), headers=headers)
            return call.answer(discovery.core_versions() if path == "/api" else discovery.group_list(self._registry))
        parts = path.strip("/").split("/")
        document = None
        if parts[0] == "api" and len(parts) == 2:  # noqa: PLR2004 - api/v1
            document = discovery.resource_list(self._registry, "", parts[1])
        elif parts[0] == "apis" and len(parts) == 2:  # noqa: PLR2004 - apis/group
            document = discovery.group(self._registry, parts[1])
        elif parts[0] == "apis" and len(parts) == 3:  # noqa: PLR2004 - apis/group/version
            document = discovery.resource_list(self._registry, parts[1], parts[2])
        if path == "/":
            document = {
                "paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            }
        if document is None:
            raise errors.no_such_path()
        return call.answer(document)

    def _openapi(self, call: Call, path: str) -> web.StreamResponse:
        from l3conf.emulator.apiserver.schemas import openapi, openapi_documents  # noqa: PLC0415 - rarely asked

        if path == "/openapi/v2":
            if _V2_PROTOBUF in call.request.headers.get("Accept", ""):
                headers = {"Content-Type": f"{_V2_PROTOBUF}.v1.0+protobuf"}
                return web.Response(body=openapi.document_v2_protobuf(), headers=headers)
            return call.answer(openapi.document_v2())
        if path == "/openapi/v3":
            return call.answer(openapi_documents.index(self._served()))
        found = openapi_documents.body(path.removeprefix("/openapi/v3/"), self._served())
        if found is None:
            raise errors.no_such_path()
        return web.Response(body=found, headers={"Content-Type": media.JSON})

    def _served(self) -> list[ServedResource]:
        from l3conf.emulator.apiserver.schemas.openapi import ServedResource  # noqa: PLC0415 - as above

        return [
            ServedResource(
                group=r.group,
                version=r.version,
                kind=r.kind,
                plural=r.plural,
                namespaced=r.namespaced,
                subresources=frozenset(r.subresources),
                verbs=frozenset(r.verbs),
                crd_schema=r.custom.schema.openapi if r.custom and r.custom.schema else None,
            )
            for r in self._registry
        ]
