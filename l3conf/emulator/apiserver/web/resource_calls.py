"""Requests for resources: reads, writes and watches, each a few lines on top of ``verbs``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from l3conf.emulator.apiserver import errors
from l3conf.emulator.apiserver.ownership import schema_of
from l3conf.emulator.apiserver.patches import applied, patcher
from l3conf.emulator.apiserver.scale import to_scale, with_scale
from l3conf.emulator.apiserver.web import media, queries

if TYPE_CHECKING:
    from aiohttp import web

    from l3conf.emulator.apiserver.resources import Resource
    from l3conf.emulator.apiserver.verbs import Verbs
    from l3conf.emulator.apiserver.web.context import Call
    from l3conf.emulator.apiserver.web.watch_stream import WatchStreams
    from l3conf.emulator.cluster_api import Object


class ResourceCalls:
    """Answers requests for stored objects."""

    def __init__(self, verbs: Verbs, watches: WatchStreams) -> None:
        self._verbs = verbs
        self._watches = watches
        self._answers = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def answer(self, call: Call, resource: Resource) -> web.StreamResponse:
        """Answer a request for a resource, its status or its scale."""
        target = call.target
        answer = self._answers.get(target.verb)
        if answer is None or (target.verb not in resource.verbs and not target.subresource):
            raise errors.method_not_allowed(call.request.method)
        if target.subresource and target.verb not in {"get", "update", "patch"}:
            raise errors.method_not_allowed(call.request.method)
        needs_name = target.verb in {"get", "update", "patch", "delete"}
        if needs_name and not target.name:
            raise errors.method_not_allowed(call.request.method)
        if resource.namespaced and not target.namespace and target.verb not in {"list", "watch"}:
            raise errors.method_not_allowed(call.request.method)
        return await answer(call, resource)

    async def _get(self, call: Call, resource: Resource) -> web.StreamResponse:
        obj = self._verbs.get(resource, call.target.namespace, call.target.name)
        if call.target.subresource == "scale":
            return call.answer(to_scale(obj, resource))
        return call.answer_object(obj, resource)

    async def _list(self, call: Call, resource: Resource) -> web.StreamResponse:
        page = self._verbs.select(resource, call.target.namespace or None, queries.list_query(call.request.query))
        metadata: Object = {"resourceVersion": str(page.version)}
        if page.token:
            metadata["continue"] = page.token
        if page.remaining:
            metadata["remainingItemCount"] = page.remaining
        return call.answer_list(page.items, resource, metadata)

    async def _watch(self, call: Call, resource: Resource) -> web.StreamResponse:
        return await self._watches.serve(call, resource, call.target.namespace or None)

    async def _create(self, call: Call, resource: Resource) -> web.StreamResponse:
        if call.target.name:
            raise errors.method_not_allowed(call.request.method)
        obj, options = await call.read_object(), call.write_options
        _check_namespace(obj, call)
        return call.answer_object(self._verbs.create(resource, call.target.namespace, obj, options), resource, 201)

    async def _update(self, call: Call, resource: Resource) -> web.StreamResponse:
        target, options, new = call.target, call.write_options, await call.read_object()
        _check_namespace(new, call)
        if target.subresource == "scale":
            self._verbs.update(
                resource,
                target.namespace,
                target.name,
                lambda live: with_scale(live, new, resource),
                options,
                subresource="scale",
            )
            return await self._get(call, resource)
        changed = self._verbs.update(
            resource, target.namespace, target.name, lambda _live: new, options, subresource=target.subresource
        )
        return call.answer_object(changed, resource)

    async def _patch(self, call: Call, resource: Resource) -> web.StreamResponse:
        target, options = call.target, call.write_options
        kind = call.content_type.partition(";")[0].strip()
        patch = media.decode(await call.body(), kind, known=media.PATCHES)
        if kind == media.APPLY_PATCH:
            return self._apply(call, resource, media.as_object(patch))
        change = patcher(kind, patch, lambda: schema_of(resource))
        if target.subresource == "scale":
            scaled = self._verbs.update(
                resource,
                target.namespace,
                target.name,
                lambda live: with_scale(live, change(to_scale(live, resource)), resource),
                options,
                subresource="scale",
            )
            return call.answer(to_scale(scaled, resource))
        changed = self._verbs.update(
            resource, target.namespace, target.name, change, options, subresource=target.subresource
        )
        return call.answer_object(changed, resource)

    def _apply(self, call: Call, resource: Resource, intent: Object) -> web.StreamResponse:
        target, options = call.target, replace(call.write_options, applied=True)
        intent.setdefault("metadata", {}).setdefault("name", target.name)
        if intent["metadata"]["name"] != target.name:
            raise errors.bad_request("the name of the applied object does not match the name on the URL")
        _check_namespace(intent, call)
        try:
            self._verbs.get(resource, target.namespace, target.name)
        except errors.StatusError as error:
            if error.code != 404 or target.subresource:  # noqa: PLR2004 - HTTP status
                raise
            new = applied(None, intent, resource, options, "")
            return call.answer_object(self._verbs.create(resource, target.namespace, new, options), resource, 201)
        changed = self._verbs.update(
            resource,
            target.namespace,
            target.name,
            lambda live: applied(live, intent, resource, options, target.subresource),
            options,
            subresource=target.subresource,
        )
        return call.answer_object(changed, resource)

    async def _delete(self, call: Call, resource: Resource) -> web.StreamResponse:
        target = call.target
        options = queries.delete_options(call.request.query, await _options_body(call), call.user)
        last, gone = self._verbs.delete(resource, target.namespace, target.name, options)
        if not gone or resource.returns_deleted:
            return call.answer_object(last, resource)
        details = {
            "name": target.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": last["metadata"]["uid"],
        }
        return call.answer(_success({key: value for key, value in details.items() if value}))

    async def _delete_collection(self, call: Call, resource: Resource) -> web.StreamResponse:
        query = call.request.query
        options = queries.delete_options(query, await _options_body(call), call.user)
        found = self._verbs.delete_collection(
            resource, call.target.namespace or None, queries.list_query(query), options
        )
        return call.answer_list(found, resource, {"resourceVersion": str(self._verbs.store.version)})


async def _options_body(call: Call) -> Object | None:
    body = await call.body()
    return media.as_object(media.decode(body, call.content_type)) if body.strip() else None


def _success(details: Object) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _check_namespace(obj: Object, call: Call) -> None:
    """Refuse an object that names another namespace than its URL."""
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise errors.bad_request("metadata must be an object")
    given = metadata.get("namespace") or call.target.namespace
    if call.target.namespace and given != call.target.namespace:
        message = f"the namespace of the provided object does not match the namespace sent on the request ({given})"
        raise errors.bad_request(message)
    if call.target.namespace:
        metadata["namespace"] = given
